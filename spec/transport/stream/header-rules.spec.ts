// Malformed messages, RFC 9113 sections 8.2, 8.3 and 8.5: one row per way to be malformed.
import fc from 'fast-check'
import t from 'tap'
import { type HeaderBlock, listBytes } from '../../../lib/hpack/index.ts'
import { TransportUsageError } from '../../../lib/transport/errors.ts'
import {
  checkRequest,
  checkResponse,
  checkSend,
  checkTrailers,
  isInformational,
  type Malformed,
  parseStatus,
  statusOf,
  trimFieldWhitespace,
} from '../../../lib/transport/stream/header-rules.ts'

const block = (fields: readonly string[]): HeaderBlock => {
  return { fields, wireBytes: 0, listBytes: listBytes(fields) }
}

const METHOD = [':method', 'POST']
const SCHEME = [':scheme', 'http']
const PATH = [':path', '/service/method']
const AUTHORITY = [':authority', 'localhost:50051']
const REQUEST = [...METHOD, ...SCHEME, ...PATH, ...AUTHORITY]
const GRPC = [...REQUEST, 'te', 'trailers', 'content-type', 'application/grpc']
const RESPONSE = [':status', '200']

const show = (fields: readonly string[]): string => JSON.stringify(fields).slice(0, 200)

t.test('good requests', (t) => {
  const good: readonly (readonly string[])[] = [
    REQUEST,
    GRPC,
    [...AUTHORITY, ...PATH, ...SCHEME, ...METHOD],
    [...METHOD, ...SCHEME, ...PATH],
    [...METHOD, ...SCHEME, ...PATH, 'host', 'localhost:50051'],
    [...REQUEST, 'host', 'localhost:50051'],
    [...REQUEST, 'host', 'LOCALHOST:50051'],
    [...METHOD, ...SCHEME, ...PATH, ':authority', 'example.com', 'host', 'example.com:80'],
    [
      ...METHOD,
      ':scheme',
      'https',
      ...PATH,
      ':authority',
      'example.com:443',
      'host',
      'EXAMPLE.com',
    ],
    [...REQUEST, 'te', 'Trailers'],
    [...REQUEST, 'x-empty', ''],
    [...REQUEST, 'x', 'inner \t white space'],
    [...REQUEST, 'x', '\x80\xff'],
    [...REQUEST, 'content-length', '5', 'content-length', '5'],
    [...REQUEST, 'content-length', '5', 'content-length', '05'],
    [...REQUEST, 'cookie', 'a=1', 'cookie', 'b=2'],
    [...REQUEST, "!#$%&'*+-.^_`|~09az", 'every character of a name'],
    ...['constructor', '__proto__', 'tostring', 'hasownproperty', 'valueof'].map((name) => [
      ...REQUEST,
      name,
      name,
    ]),
    [':method', 'OPTIONS', ...SCHEME, ':path', '*'],
    [':method', 'OPTIONS', ...SCHEME, ':path', '/'],
    [':method', "M-SEARCH!#$%&'*+.^_`|~", ...SCHEME, ...PATH],
    [...METHOD, ':scheme', 'coap+tcp', ...PATH],
    [...METHOD, ...SCHEME, ':path', '/a//b/../c;d=e?q=[x]|%2f&\'(){}"<>\\^`'],
    [...METHOD, ...SCHEME, ...PATH, ':authority', '[::1]:50051'],
    [...METHOD, ...SCHEME, ...PATH, ':authority', '%2Fapp%2Fsock'],
    [...METHOD, ...SCHEME, ...PATH, ':authority', '/app/sock'],
    [':method', 'CONNECT', ':authority', 'example.com:443'],
    [':method', 'CONNECT', ':authority', 'example.com:443', 'host', 'example.com:443'],
  ]
  for (const fields of good) {
    t.equal(checkRequest(block(fields)), undefined, show(fields))
    t.equal(checkRequest(block(fields)), undefined, 'and again')
    t.doesNotThrow(() => checkSend(fields, 'request'), 'and sent')
  }
  t.end()
})

t.test('good responses and trailers', (t) => {
  const responses = [
    RESPONSE,
    [...RESPONSE, 'content-type', 'application/grpc', 'grpc-status', '0'],
    [':status', '100'],
    [':status', '103', 'link', '</style.css>'],
    [':status', '999'],
    [...RESPONSE, 'host', ''],
    [...RESPONSE, 'te', 'trailers'],
  ]
  for (const fields of responses) t.equal(checkResponse(block(fields)), undefined, show(fields))
  const trailers = [[], ['grpc-status', '0'], ['grpc-status', '13', 'grpc-message', 'a%20b']]
  for (const fields of trailers) t.equal(checkTrailers(block(fields)), undefined, show(fields))
  t.end()
})

/** Fields that are malformed wherever they stand. */
const badFields: [string, string, Malformed][] = [
  ['', 'v', 'field_name_empty'],
  ['Upper', 'v', 'field_name_uppercase'],
  ['uppeR', 'v', 'field_name_uppercase'],
  ['Te', 'trailers', 'field_name_uppercase'],
  ['a b', 'v', 'field_name_forbidden_character'],
  [' a', 'v', 'field_name_forbidden_character'],
  ['a ', 'v', 'field_name_forbidden_character'],
  ['a:b', 'v', 'field_name_forbidden_character'],
  ['a:', 'v', 'field_name_forbidden_character'],
  ...['\x00', '\x01', '\t', '\n', '\r', '\x1f', '\x7f', '\x80', '\xa0', '\xe9', '\xff'].map(
    (character): [string, string, Malformed] => [
      `a${character}b`,
      'v',
      'field_name_forbidden_character',
    ],
  ),
  ...[...'"(),/;<=>?@[\\]{}'].map((character): [string, string, Malformed] => [
    `a${character}`,
    'v',
    'field_name_forbidden_character',
  ]),
  ...['\x00', '\r', '\n', '\r\nx: y', '\x01', '\x08', '\x0b', '\x1f', '\x7f'].flatMap(
    (text): [string, string, Malformed][] => [
      ['x', `a${text}b`, 'field_value_forbidden_character'],
      ['x', `${text}b`, 'field_value_forbidden_character'],
      ['user-agent', `a${text}`, 'field_value_forbidden_character'],
    ],
  ),
  ...[' a', 'a ', '\ta', 'a\t', ' ', '\t'].flatMap((value): [string, string, Malformed][] => [
    ['x', value, 'field_value_outer_whitespace'],
    ['grpc-message', value, 'field_value_outer_whitespace'],
  ]),
  ['connection', 'close', 'field_connection_specific'],
  ['connection', '', 'field_connection_specific'],
  ['proxy-connection', 'keep-alive', 'field_connection_specific'],
  ['keep-alive', 'timeout=5', 'field_connection_specific'],
  ['transfer-encoding', 'chunked', 'field_connection_specific'],
  ['upgrade', 'h2c', 'field_connection_specific'],
  ['te', 'gzip', 'te_not_trailers'],
  ['te', 'trailers, deflate', 'te_not_trailers'],
  ['te', '', 'te_not_trailers'],
  ['te', 'trailers ', 'field_value_outer_whitespace'],
  ['content-length', '', 'content_length_invalid'],
  ['content-length', '-1', 'content_length_invalid'],
  ['content-length', '+1', 'content_length_invalid'],
  ['content-length', '1,1', 'content_length_invalid'],
  ['content-length', 'x', 'content_length_invalid'],
  ['content-length', '9007199254740992', 'content_length_invalid'],
  ['content-length', ' 1', 'field_value_outer_whitespace'],
  [':unknown', 'v', 'pseudo_header_unknown'],
  [':', 'v', 'pseudo_header_unknown'],
  [':Path', '/', 'pseudo_header_unknown'],
  [':path ', '/', 'pseudo_header_unknown'],
]

const kinds = [
  ['request', REQUEST, checkRequest],
  ['response', RESPONSE, checkResponse],
  ['trailers', [], checkTrailers],
] as const

for (const [kind, start, check] of kinds) {
  t.test(`malformed fields in ${kind}`, (t) => {
    for (const [name, value, want] of badFields) {
      t.equal(check(block([...start, name, value])), want, show([name, value]))
      const late = [...start, 'x-good', 'good', name, value, 'x-more', 'more']
      t.equal(check(block(late)), want, 'and among others')
    }
    t.equal(
      check(block([...start, 'content-length', '5', 'x', 'y', 'content-length', '6'])),
      'content_length_conflict',
    )
    t.end()
  })
}

t.test('malformed requests', (t) => {
  const table: [readonly string[], Malformed][] = [
    [[], 'method_missing'],
    [['x', 'y'], 'method_missing'],
    [[...SCHEME, ...PATH, ...AUTHORITY], 'method_missing'],
    [[...METHOD, ...PATH, ...AUTHORITY], 'scheme_missing'],
    [[...METHOD, ...SCHEME, ...AUTHORITY], 'path_missing'],
    [[...METHOD, ...METHOD, ...SCHEME, ...PATH], 'pseudo_header_repeated'],
    [[...METHOD, ...SCHEME, ...SCHEME, ...PATH], 'pseudo_header_repeated'],
    [[...METHOD, ...SCHEME, ...PATH, ...PATH], 'pseudo_header_repeated'],
    [[...REQUEST, ...AUTHORITY], 'pseudo_header_repeated'],
    [['x', 'y', ...REQUEST], 'pseudo_header_after_field'],
    [['host', 'a', ...REQUEST], 'pseudo_header_after_field'],
    [['te', 'trailers', ...REQUEST], 'pseudo_header_after_field'],
    [[...METHOD, ...SCHEME, ...PATH, 'x', 'y', ...AUTHORITY], 'pseudo_header_after_field'],
    [[...REQUEST, ':status', '200'], 'pseudo_header_of_response'],
    [[...REQUEST, ':protocol', 'websocket'], 'pseudo_header_protocol'],
    [
      [':method', 'CONNECT', ...SCHEME, ...PATH, ...AUTHORITY, ':protocol', 'websocket'],
      'pseudo_header_protocol',
    ],
    ...['', ' ', 'GET ', 'G ET', 'GET\r\nx: y', 'GET:', 'G\x00', 'G\xc9T', 'G/T'].map(
      (method): [readonly string[], Malformed] => [
        [':method', method, ...SCHEME, ...PATH],
        'method_invalid',
      ],
    ),
    ...['', 'ht tp', '1http', '+a', 'http:', 'http://a', 'h\n', 'http ', 'h\xe9'].map(
      (scheme): [readonly string[], Malformed] => [
        [...METHOD, ':scheme', scheme, ...PATH],
        'scheme_invalid',
      ],
    ),
    [[...METHOD, ...SCHEME, ':path', ''], 'path_empty'],
    ...['service/method', '*', 'http://a/b', '?q', '%2fa', '\\a'].map(
      (path): [readonly string[], Malformed] => [
        [...METHOD, ...SCHEME, ':path', path],
        'path_not_absolute',
      ],
    ),
    [[':method', 'OPTIONS', ...SCHEME, ':path', '*/'], 'path_not_absolute'],
    [[':method', 'options', ...SCHEME, ':path', '*'], 'path_not_absolute'],
    ...['/a b', ' /a', '/a ', '/a\x00', '/a\r\nx: y', '/a#b', '/\xe9', '/\x7f', '/a\tb'].map(
      (path): [readonly string[], Malformed] => [
        [...METHOD, ...SCHEME, ':path', path],
        'path_forbidden_character',
      ],
    ),
    [[...METHOD, ...SCHEME, ...PATH, ':authority', ''], 'authority_empty'],
    [[...METHOD, ...SCHEME, ...PATH, ':authority', 'me@host'], 'authority_userinfo'],
    [[...METHOD, ...SCHEME, ...PATH, ':authority', 'me:secret@host:1'], 'authority_userinfo'],
    ...['a b', 'a ', ' a', 'a\r\n', 'a\x00', 'h\xf6st', 'a\t'].map(
      (authority): [readonly string[], Malformed] => [
        [...METHOD, ...SCHEME, ...PATH, ':authority', authority],
        'authority_forbidden_character',
      ],
    ),
    [[...METHOD, ...SCHEME, ...PATH, 'host', ''], 'authority_empty'],
    [[...METHOD, ...SCHEME, ...PATH, 'host', 'me@host'], 'authority_userinfo'],
    [[...METHOD, ...SCHEME, ...PATH, 'host', 'a b'], 'authority_forbidden_character'],
    [[...METHOD, ...SCHEME, ...PATH, 'host', 'a', 'host', 'a'], 'host_repeated'],
    [[...METHOD, ...SCHEME, ...PATH, 'host', 'a', 'host', 'b'], 'host_repeated'],
    [[...REQUEST, 'host', 'localhost'], 'host_conflict'],
    [[...REQUEST, 'host', 'localhost:50052'], 'host_conflict'],
    [[...REQUEST, 'host', 'evil'], 'host_conflict'],
    [[...METHOD, ':scheme', 'https', ...PATH, ':authority', 'a', 'host', 'a:80'], 'host_conflict'],
    [[':method', 'CONNECT', ...AUTHORITY, 'host', 'evil'], 'host_conflict'],
    [[':method', 'CONNECT', ...SCHEME, ...AUTHORITY], 'connect_with_scheme'],
    [[':method', 'CONNECT', ...PATH, ...AUTHORITY], 'connect_with_path'],
    [[':method', 'CONNECT', ...SCHEME, ...PATH, ...AUTHORITY], 'connect_with_scheme'],
    [[':method', 'CONNECT'], 'connect_without_authority'],
    [[':method', 'CONNECT', 'host', 'a:1'], 'connect_without_authority'],
    [[':method', 'CONNECT', ':authority', ''], 'authority_empty'],
  ]
  for (const [fields, want] of table) t.equal(checkRequest(block(fields)), want, show(fields))
  t.end()
})

t.test('malformed responses', (t) => {
  const table: [readonly string[], Malformed][] = [
    [[], 'status_missing'],
    [['grpc-status', '0'], 'status_missing'],
    [[':status', '101'], 'status_switching_protocols'],
    ...['', '099', '1000', '2xx', '20', '000', '+20', ' 200', '200 ', '2e2', '20\n', '-20'].map(
      (status): [readonly string[], Malformed] => [[':status', status], 'status_invalid'],
    ),
    [[...RESPONSE, ...RESPONSE], 'pseudo_header_repeated'],
    [['x', 'y', ...RESPONSE], 'pseudo_header_after_field'],
    ...[METHOD, SCHEME, PATH, AUTHORITY, [':protocol', 'x']].map(
      (field): [readonly string[], Malformed] => [
        [...RESPONSE, ...field],
        'pseudo_header_of_request',
      ],
    ),
  ]
  for (const [fields, want] of table) t.equal(checkResponse(block(fields)), want, show(fields))
  t.end()
})

t.test('pseudo-headers in trailers', (t) => {
  for (const field of [METHOD, SCHEME, PATH, AUTHORITY, RESPONSE, [':protocol', 'x']]) {
    t.equal(checkTrailers(block(['grpc-status', '0', ...field])), 'pseudo_header_in_trailers')
    t.equal(checkTrailers(block(field)), 'pseudo_header_in_trailers')
  }
  t.end()
})

t.test('a value that was bad before does not pass later, nor the reverse', (t) => {
  const withAgent = (value: string) => block([...REQUEST, 'user-agent', value])
  for (const value of ['good', 'bad\n', 'good', 'bad\n', 'bad\n', 'better', 'good']) {
    const want = value.startsWith('bad') ? 'field_value_forbidden_character' : undefined
    t.equal(checkRequest(withAgent(value)), want, value)
  }
  t.equal(checkRequest(block([...METHOD, ...SCHEME, ':path', '*'])), 'path_not_absolute')
  t.equal(checkRequest(block([':method', 'OPTIONS', ...SCHEME, ':path', '*'])), undefined)
  t.equal(checkRequest(block([...METHOD, ...SCHEME, ':path', '*'])), 'path_not_absolute')
  t.end()
})

t.test('a verdict depends on the block alone', (t) => {
  const name = fc.constantFrom(
    ':method',
    ':path',
    'host',
    'te',
    'x',
    'X',
    'content-length',
    ':status',
  )
  const value = fc.constantFrom('POST', '/a', 'a', 'trailers', '1', '2', '', ' a', 'a\n', '200')
  const fields = fc.array(fc.tuple(name, value), { maxLength: 5 }).map((pairs) => pairs.flat())
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const first = checkRequest(block([...SCHEME, ...one]))
      checkRequest(block(other))
      checkResponse(block(other))
      checkTrailers(block(one))
      return checkRequest(block([...SCHEME, ...one])) === first
    }),
  )
  t.end()
})

t.test('white space is cut off only where a check calls for it', (t) => {
  const dirty = {
    ...block([...REQUEST, 'a', ' b ', 'c', '\t\td e\t', 'f', ' ']),
    neverIndexed: [8],
  }
  t.equal(checkRequest(dirty), 'field_value_outer_whitespace')
  const clean = trimFieldWhitespace(dirty)
  t.same(clean.fields, [...REQUEST, 'a', 'b', 'c', 'd e', 'f', ''])
  t.equal(clean.listBytes, dirty.listBytes)
  t.same(clean.neverIndexed, [8])
  t.equal(checkRequest(clean), undefined)
  t.equal(trimFieldWhitespace(clean), clean, 'the same object when nothing is to be cut')
  const nbsp = block([...REQUEST, 'a', '\xa0b\xa0'])
  t.equal(trimFieldWhitespace(nbsp), nbsp, 'only spaces and tabs')
  const path = block([...METHOD, ...SCHEME, ':path', '/a '])
  t.equal(trimFieldWhitespace(path), path, 'never a pseudo-header')
  t.end()
})

t.test('status numbers', (t) => {
  t.equal(parseStatus('200'), 200)
  t.equal(parseStatus('099'), 0)
  t.equal(parseStatus('1000'), 0)
  t.equal(statusOf(block([':status', '503', 'x', 'y'])), 503)
  t.ok(isInformational(100))
  t.ok(isInformational(199))
  t.notOk(isInformational(200))
  t.notOk(isInformational(99))
  t.end()
})

t.test('what is sent must pass the same rules', (t) => {
  const table: ['request' | 'response' | 'trailers', readonly unknown[], string, RegExp][] = [
    ['request', [...REQUEST, 'Bad-Name', 'v'], 'field_name_uppercase', /"Bad-Name"/],
    [
      'request',
      [...REQUEST, 'x', 'a\r\nb'],
      'field_value_forbidden_character',
      /request field "x"/,
    ],
    ['request', [...REQUEST, 'x', 'caf\u0113'], 'field_value_forbidden_character', /"x"/],
    ['request', [...REQUEST, 'caf\u0113', 'x'], 'field_name_forbidden_character', /caf/],
    ['request', [...METHOD, ...SCHEME, ':path', '/\u0120'], 'path_forbidden_character', /":path"/],
    ['request', [...REQUEST, 'connection', 'close'], 'field_connection_specific', /"connection"/],
    ['request', [...SCHEME, ...PATH], 'method_missing', /request fields: method missing/],
    ['request', [...REQUEST, 'x'], 'fields_odd_length', /9 strings/],
    ['request', [...REQUEST, 'x', 5], 'field_not_a_string', /value of "x" is a number/],
    ['request', [...REQUEST, undefined, 'x'], 'field_not_a_string', /name is a undefined/],
    ['response', ['grpc-status', '0'], 'status_missing', /response fields/],
    ['response', [':status', '101'], 'status_switching_protocols', /":status"/],
    ['trailers', ['grpc-message', 'a '], 'field_value_outer_whitespace', /"grpc-message"/],
    ['trailers', RESPONSE, 'pseudo_header_in_trailers', /":status"/],
  ]
  for (const [kind, fields, token, message] of table) {
    try {
      checkSend(fields as string[], kind)
      t.fail(`${show(fields as string[])} was accepted`)
    } catch (error) {
      t.ok(error instanceof TransportUsageError, token)
      t.equal((error as TransportUsageError).token, token)
      t.match((error as Error).message, message)
    }
  }
  t.doesNotThrow(() => checkSend(RESPONSE, 'response'))
  t.doesNotThrow(() => checkSend(['grpc-status', '0'], 'trailers'))
  t.end()
})

t.test('the message of a refused field does not carry its value', (t) => {
  t.throws(() => checkSend([...REQUEST, 'authorization', 'secret\n'], 'request'), {
    message: /^(?!.*secret)/s,
  })
  t.end()
})
