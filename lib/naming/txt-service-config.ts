// The service config that a name carries in DNS: which TXT record it is, and which of its choices is
// for this client. Does not look anything up and does not know what a service config means.
// Source: gRFC A2; grpc-go internal/resolver/dns.
import { ConfigFields, wrong } from '../base/config-fields.ts'
import { Code, type Status } from '../base/status.ts'

/** What decides between choices. */
export interface ConfigClient {
  readonly hostname: string
  /** From 0 up to 100: who this client is among all; it takes choices of a greater percentage. */
  readonly percentile: number
}

/** What TXT records say: a config, what is wrong with it, or neither. */
export interface NamedConfig {
  readonly serviceConfig?: unknown
  readonly serviceConfigError?: Status
}

const ATTRIBUTE = 'grpc_config='
/** What this client answers to in `clientLanguage`: `node` is what grpc-js answers to as well. */
const LANGUAGES: readonly string[] = ['node', 'typescript']

interface Choice {
  readonly languages: readonly string[]
  readonly hostnames: readonly string[]
  readonly percentage: number
  readonly serviceConfig: unknown
}

/** A choice with any other is invalid: it may have a criterion that is not known here. */
const FIELD_NAMES: readonly string[] = [
  'clientLanguage',
  'clientHostname',
  'clientHostName',
  'percentage',
  'serviceConfig',
]

/** The name whose TXT records belong to `host`. */
export function configName(host: string): string {
  return `_grpc_config.${host}`
}

/**
 * The config of the first choice that fits. Records without the attribute `grpc_config=` are others'.
 * No fitting choice means no config; one invalid choice makes all of them invalid.
 */
export function selectServiceConfig(records: readonly string[], client: ConfigClient): NamedConfig {
  const record = records.find((text) => text.startsWith(ATTRIBUTE))
  if (record === undefined) return {}
  try {
    const choice = parseChoices(record.slice(ATTRIBUTE.length)).find((it) => fits(it, client))
    return choice === undefined ? {} : { serviceConfig: choice.serviceConfig }
  } catch (cause) {
    const message = `txt_config: ${(cause as Error).message}`
    return { serviceConfigError: { code: Code.Unavailable, message, cause } }
  }
}

function fits({ languages, hostnames, percentage }: Choice, client: ConfigClient): boolean {
  return (
    (languages.length === 0 || languages.some((one) => LANGUAGES.includes(one.toLowerCase()))) &&
    (hostnames.length === 0 || hostnames.includes(client.hostname)) &&
    client.percentile < percentage
  )
}

function parseChoices(text: string): Choice[] {
  const json = parseJson(text)
  if (!Array.isArray(json)) throw wrong('choices', json, 'a list')
  return json.map((choice, index) => readChoice(new ConfigFields(choice, `choices[${index}]`)))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`want JSON after ${ATTRIBUTE}: ${(cause as Error).message}`)
  }
}

function readChoice(fields: ConfigFields): Choice {
  const stranger = fields.names.find((name) => !FIELD_NAMES.includes(name))
  if (stranger !== undefined) throw wrong(fields.path, stranger, FIELD_NAMES.join(', '))
  if (fields.object('serviceConfig') === undefined) {
    throw wrong(fields.pathOf('serviceConfig'), undefined, 'an object')
  }
  return {
    languages: fields.list('clientLanguage', readString) ?? [],
    // gRFC A2 spells it in one way, grpc-go in the other.
    hostnames: ['clientHostname', 'clientHostName'].flatMap(
      (name) => fields.list(name, readString) ?? [],
    ),
    percentage: fields.integer('percentage', 0, 100) ?? 100,
    serviceConfig: fields.value('serviceConfig'),
  }
}

function readString(value: unknown, path: string): string {
  if (typeof value === 'string') return value
  throw wrong(path, value, 'a string')
}
