// The service config that a name carries in DNS: which TXT record it is, and which of its choices is
// for this client. Does not look anything up and does not know what a service config means.
// Source: gRFC A2; grpc-go internal/resolver/dns.
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
  readonly serviceConfig: object
}

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
    const { message } = cause as Error
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
  if (!Array.isArray(json)) throw wrong('', json, 'a list of choices')
  return json.map((choice, index) => readChoice(choice, `[${index}]`))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`txt_config_json: want JSON after ${ATTRIBUTE}: ${(cause as Error).message}`)
  }
}

/** How each field of a choice is read. The host's name is spelt in two ways: gRFC A2's and grpc-go's. */
const FIELDS: Readonly<Record<string, (value: unknown, path: string) => Partial<Choice>>> = {
  clientLanguage: (value, path) => ({ languages: strings(value, path) }),
  clientHostname: (value, path) => ({ hostnames: strings(value, path) }),
  clientHostName: (value, path) => ({ hostnames: strings(value, path) }),
  percentage: (value, path) => ({ percentage: percentage(value, path) }),
  serviceConfig: (value, path) => ({ serviceConfig: object(value, path) }),
}

function readChoice(json: unknown, path: string): Choice {
  const choice: Partial<Choice> = {}
  for (const [name, value] of Object.entries(object(json, path))) {
    const read = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined
    if (read === undefined) throw wrong(path, name, `one of ${Object.keys(FIELDS).join(', ')}`)
    Object.assign(choice, read(value, `${path}.${name}`))
  }
  const { serviceConfig, languages = [], hostnames = [], percentage = 100 } = choice
  if (serviceConfig === undefined) throw wrong(`${path}.serviceConfig`, undefined, 'an object')
  return { serviceConfig, languages, hostnames, percentage }
}

function strings(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw wrong(path, value, 'a list of strings')
}

function percentage(value: unknown, path: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100) {
    return value as number
  }
  throw wrong(path, value, 'a whole number from 0 to 100')
}

function object(value: unknown, path: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw wrong(path, value, 'an object')
}

function wrong(path: string, got: unknown, want: string): Error {
  const text = JSON.stringify(got)?.slice(0, 60) ?? 'nothing'
  return new Error(`txt_config_choice: got ${text} for choices${path}, want ${want}`)
}
