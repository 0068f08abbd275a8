// The field names that the rules of RFC 9113 section 8 know, and what each is to them. A table only:
// the rules are in header-rules.ts.

/** What a field is to these rules. Those before `Ordinary` are the pseudo-headers. */
export const Role = {
  Method: 0,
  Scheme: 1,
  Path: 2,
  Authority: 3,
  Status: 4,
  Protocol: 5,
  Ordinary: 6,
  Host: 7,
  ContentLength: 8,
  Te: 9,
  ConnectionSpecific: 10,
} as const
export type Role = (typeof Role)[keyof typeof Role]

/** Whether the role is that of a pseudo-header. */
export function isPseudo(role: Role): boolean {
  return role < Role.Ordinary
}

/** A field name that is known to be well-formed. */
export interface KnownField {
  readonly role: Role
  /**
   * The value that passed last. The next call brings the same as a rule, and even the same string
   * when it comes out of an HPACK table: comparing beats looking at each letter.
   */
  good: string | undefined
}

/**
 * The names with rules of their own, and ordinary ones that calls carry. Not `authorization` and
 * `cookie`: nothing secret is remembered here.
 */
export const KNOWN_FIELDS: ReadonlyMap<string, KnownField> = knownFields([
  [':method', Role.Method],
  [':scheme', Role.Scheme],
  [':path', Role.Path],
  [':authority', Role.Authority],
  [':status', Role.Status],
  [':protocol', Role.Protocol],
  ['host', Role.Host],
  ['content-length', Role.ContentLength],
  ['te', Role.Te],
  // RFC 9113 section 8.2.2.
  ['connection', Role.ConnectionSpecific],
  ['proxy-connection', Role.ConnectionSpecific],
  ['keep-alive', Role.ConnectionSpecific],
  ['transfer-encoding', Role.ConnectionSpecific],
  ['upgrade', Role.ConnectionSpecific],
  ...[
    'accept',
    'accept-encoding',
    'accept-language',
    'cache-control',
    'content-type',
    'date',
    'grpc-accept-encoding',
    'grpc-encoding',
    'grpc-message',
    'grpc-previous-rpc-attempts',
    'grpc-retry-pushback-ms',
    'grpc-status',
    'grpc-status-details-bin',
    'grpc-tags-bin',
    'grpc-timeout',
    'grpc-trace-bin',
    'priority',
    'server',
    'traceparent',
    'tracestate',
    'user-agent',
    'x-forwarded-for',
    'x-request-id',
  ].map((name): [string, Role] => [name, Role.Ordinary]),
])

/** Stands for every other name. */
export const UNKNOWN_FIELD: KnownField = { role: Role.Ordinary, good: undefined }

function knownFields(roles: readonly (readonly [string, Role])[]): Map<string, KnownField> {
  return new Map(roles.map(([name, role]) => [name, { role, good: undefined }]))
}
