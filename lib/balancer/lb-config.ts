// Which policy a service config asks for: the first of a list that is known here.
// Source: gRFC A24 (loadBalancingConfig).
import { ConfigError, ConfigFields, wrong } from '../base/config-fields.ts'
import type { BalancerBuilder, ChildParser, LbConfig } from './balancer.ts'
import { getBalancer } from './registry.ts'

/**
 * Reads a `loadBalancingConfig`, such as `[{ "round_robin": {} }]`. Throws ConfigError when no policy
 * of the list is known, or the first that is known does not take its config.
 */
export function parseLbConfig(json: unknown, path: string): LbConfig {
  if (!Array.isArray(json)) throw wrong(path, json, 'a list of policies')
  const unknown: string[] = []
  for (const [i, element] of json.entries()) {
    const at = `${path}[${i}]`
    const fields = new ConfigFields(element, at)
    const [name, ...others] = fields.names
    if (name === undefined || others.length > 0) throw wrong(at, element, 'one policy by its name')
    const builder = getBalancer(name)
    if (builder !== undefined) return lbConfigOf(builder, fields.object(name) ?? noFields(at, name))
    unknown.push(name)
  }
  throw new ConfigError(`${path}: got ${unknown.join(', ') || 'no policy'}, want one that is known`)
}

/** A policy with a config of its own, or with none. */
export function lbConfigOf(builder: BalancerBuilder, fields: ConfigFields): LbConfig {
  return { builder, config: builder.parseConfig?.(fields, parseChild) }
}

/** A policy with its defaults. */
export function defaultLbConfig(builder: BalancerBuilder): LbConfig {
  return lbConfigOf(builder, new ConfigFields({}, builder.name))
}

function noFields(path: string, name: string): ConfigFields {
  return new ConfigFields({}, `${path}.${name}`)
}

const parseChild: ChildParser = (fields, name) =>
  parseLbConfig(fields.value(name), fields.pathOf(name))
