import fc from 'fast-check'
import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import { contentSubtypeOf, contentTypeOf } from '../../../lib/grpc/protocol/content-type.ts'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { Remembered } from '../../../lib/grpc/protocol/remembered.ts'
import {
  extraRequestFields,
  parseRequestHead,
  RequestTemplate,
} from '../../../lib/grpc/protocol/request-headers.ts'
import {
  parseEnding,
  parseResponseHead,
  ResponseTemplate,
  trailerFields,
} from '../../../lib/grpc/protocol/response-headers.ts'

const split = (text: string): string[] =>
  text.split('|').flatMap((field) => {
    const at = field.indexOf('=')
    return [field.slice(0, at), field.slice(at + 1)]
  })
const join = (fields: readonly string[]): string => {
  const pairs: string[] = []
  for (let i = 0; i < fields.length; i += 2) pairs.push(`${fields[i]}=${fields[i + 1]}`)
  return pairs.join('|')
}

const HEAD =
  ':method=POST|:scheme=http|:path=/s/M|:authority=a:1|content-type=application/grpc|user-agent=ua|te=trailers'
const template = new RequestTemplate({
  scheme: 'http',
  path: '/s/M',
  authority: 'a:1',
  userAgent: 'ua',
  encoding: 'gzip',
  acceptEncoding: 'identity,gzip',
})

t.test('request fields are in the order of grpc-go, what a call adds last', async (t) => {
  t.equal(join(template.fields), `${HEAD}|grpc-encoding=gzip|grpc-accept-encoding=identity,gzip`)
  t.equal(
    join(
      extraRequestFields({
        previousAttempts: 2,
        timeoutMs: 1000,
        credentials: Metadata.from({ authorization: 'Bearer x' }),
        metadata: Metadata.from({ a: '1', 'b-bin': Buffer.of(1) }),
      }) ?? [],
    ),
    'grpc-previous-rpc-attempts=2|grpc-timeout=1000000u|authorization=Bearer x|a=1|b-bin=AQ',
  )
})

t.test('a call with nothing of its own adds nothing', async (t) => {
  t.equal(extraRequestFields({}), undefined)
  t.equal(extraRequestFields({ metadata: new Metadata(), previousAttempts: 0 }), undefined)
  const json = new RequestTemplate({
    scheme: 'https',
    path: '/s/M',
    authority: 'a',
    userAgent: 'ua',
    contentSubtype: 'json',
  })
  t.match(join(json.fields), /:scheme=https.*content-type=application\/grpc\+json/)
  t.notMatch(join(json.fields), /encoding/)
})

t.test('a server reads what a client wrote', async (t) => {
  const extra = extraRequestFields({ timeoutMs: 250, previousAttempts: 3 }) ?? []
  const fields = [...template.fields, ...extra]
  t.same(parseRequestHead(fields), {
    path: '/s/M',
    authority: 'a:1',
    contentSubtype: '',
    timeoutMs: 250,
    encoding: 'gzip',
    acceptEncoding: 'identity,gzip',
    userAgent: 'ua',
    previousAttempts: 3,
    fault: undefined,
  })
  t.match(
    parseRequestHead(split(':method=POST|:path=/s/M|host=h|content-type=application/grpc+proto')),
    {
      authority: 'h',
      contentSubtype: 'proto',
      timeoutMs: undefined,
      encoding: 'identity',
      acceptEncoding: '',
      fault: undefined,
    },
  )
  t.match(
    parseRequestHead(
      split(
        `${HEAD}|grpc-accept-encoding=gzip|grpc-accept-encoding=br|grpc-previous-rpc-attempts=x`,
      ),
    ),
    { acceptEncoding: 'gzip,br', previousAttempts: 0 },
  )
})

t.test('a request that breaks a rule is answered at once', async (t) => {
  const table: [extra: string, httpStatus: number, code: Code, token: string][] = [
    ['content-type=image/jpeg', 415, Code.InvalidArgument, 'request_content_type'],
    ['content-type=', 415, Code.InvalidArgument, 'request_content_type'],
    ['content-type=application/grpc-web', 415, Code.InvalidArgument, 'request_content_type'],
    [':method=DELETE', 405, Code.Internal, 'request_method'],
    ['grpc-timeout=1X', 400, Code.Internal, 'request_timeout_malformed'],
    ['grpc-timeout=', 400, Code.Internal, 'request_timeout_malformed'],
    ['x-bin=!', 400, Code.Internal, 'request_metadata_malformed'],
    [
      'x-bin=!|y-bin=%|grpc-timeout=1X|content-type=text/html',
      415,
      Code.InvalidArgument,
      'request_content_type',
    ],
  ]
  for (const [extra, httpStatus, code, token] of table) {
    t.match(parseRequestHead(split(`${HEAD}|${extra}`)).fault, { httpStatus, code, token }, extra)
  }
  const none = parseRequestHead(split(':method=POST|:path=/s/M'))
  t.match(none.fault, { httpStatus: 415, message: /got ""/ })
})

t.test('names of the language are names like others', async (t) => {
  const poison = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']
  const head = parseRequestHead([...split(HEAD), ...poison.flatMap((name) => [name, 'x'])])
  t.equal(head.fault, undefined)
  t.equal(Object.getPrototypeOf(head), Object.prototype)
})

t.test('knows the content-types of gRPC', async (t) => {
  const table: [contentType: string, subtype: string | undefined][] = [
    ['application/grpc', ''],
    ['application/grpc+proto', 'proto'],
    ['application/grpc+json;charset=utf-8', 'json'],
    ['application/grpc; charset=utf-8', ''],
    ['Application/GRPC+Proto', 'proto'],
    ['application/grpc+', ''],
    ['application/grpcweb', undefined],
    ['application/grpc-web+proto', undefined],
    ['application/json', undefined],
    ['', undefined],
  ]
  for (const [contentType, subtype] of table) {
    t.equal(contentSubtypeOf(contentType), subtype, contentType)
  }
  t.equal(contentTypeOf(undefined), 'application/grpc')
  t.equal(contentTypeOf('json'), 'application/grpc+json')
})

t.test('response fields', async (t) => {
  const response = new ResponseTemplate(undefined, 'gzip')
  const plain = new ResponseTemplate('proto', undefined)
  const metadata = Metadata.from({ a: '1' })
  const failed = { code: Code.NotFound, message: 'nö' }
  const ok = { code: Code.Ok, message: '' }
  const table: [what: string, fields: readonly string[], want: string][] = [
    [
      'headers',
      response.headers(undefined),
      ':status=200|content-type=application/grpc|grpc-encoding=gzip',
    ],
    ['metadata', plain.headers(metadata), ':status=200|content-type=application/grpc+proto|a=1'],
    ['ok', trailerFields(ok, undefined, undefined), 'grpc-status=0'],
    ['ok, metadata', trailerFields(ok, undefined, metadata), 'grpc-status=0|a=1'],
    [
      'error',
      trailerFields(failed, 'AA', metadata),
      'grpc-status=5|grpc-message=n%C3%B6|grpc-status-details-bin=AA|a=1',
    ],
    [
      'only',
      response.trailersOnly(ok, undefined, undefined),
      ':status=200|content-type=application/grpc|grpc-status=0',
    ],
    [
      'only, error',
      plain.trailersOnly(failed, undefined, metadata, 415),
      ':status=415|content-type=application/grpc+proto|grpc-status=5|grpc-message=n%C3%B6|a=1',
    ],
  ]
  for (const [what, fields, want] of table) t.equal(join(fields), want, what)
  t.equal(response.headers(new Metadata()), response.headers(undefined))
  t.equal(trailerFields(ok, undefined, new Metadata()), trailerFields(ok, undefined, undefined))
  t.equal(
    plain.trailersOnly(ok, undefined, undefined),
    plain.trailersOnly(ok, undefined, new Metadata()),
  )
})

t.test('a client reads the head of a response', async (t) => {
  const good = parseResponseHead(
    split(':status=200|content-type=application/grpc+proto|grpc-encoding=gzip'),
  )
  t.same(good, {
    httpStatus: 200,
    isGrpc: true,
    contentSubtype: 'proto',
    encoding: 'gzip',
    fault: undefined,
    httpFault: undefined,
  })
  const table: [fields: string, code: Code, message: RegExp][] = [
    [':status=404|content-type=text/html', Code.Unimplemented, /404.*"text\/html"/],
    [':status=200|content-type=text/html', Code.Unknown, /"text\/html"/],
    [':status=503', Code.Unavailable, /503.*missing content-type/],
    [':status=200', Code.Unknown, /missing content-type/],
    [':status=200|content-type=application/grpc|x-bin=!', Code.Internal, /x-bin/],
  ]
  for (const [fields, code, message] of table) {
    t.match(parseResponseHead(split(fields)).fault, { code, message }, fields)
  }
})

t.test('a client reads how a response ended', async (t) => {
  const grpc = ':status=200|content-type=application/grpc'
  const table: [what: string, head: string, ending: string, code: number, message: RegExp][] = [
    ['ok', grpc, 'grpc-status=0', Code.Ok, /^$/],
    ['ok with a message', grpc, 'grpc-status=0|grpc-message=fine', Code.Ok, /^fine$/],
    ['an error', grpc, 'grpc-status=5|grpc-message=n%C3%B6', Code.NotFound, /^nö$/],
    ['a number without a name', grpc, 'grpc-status=77', 77, /^$/],
    ['no status', grpc, 'a=b', Code.Unknown, /without grpc-status/],
    ['a malformed status', grpc, 'grpc-status=x', Code.Unknown, /malformed grpc-status: got "x"/],
    ['a negative status', grpc, 'grpc-status=-1', Code.Unknown, /malformed/],
    ['a huge status', grpc, 'grpc-status=4294967296', Code.Unknown, /malformed/],
    ['malformed metadata', grpc, 'grpc-status=0|x-bin=!', Code.Internal, /x-bin/],
    [
      'a status in the head does not count',
      `${grpc}|grpc-status=0`,
      'a=b',
      Code.Unknown,
      /without/,
    ],
    [
      'HTTP status, no grpc-status',
      ':status=503|content-type=application/grpc',
      'a=b',
      Code.Unavailable,
      /503/,
    ],
    [
      'HTTP status, grpc-status',
      ':status=503|content-type=application/grpc',
      'grpc-status=3',
      3,
      /^$/,
    ],
    [
      'not gRPC, grpc-status',
      ':status=200|content-type=text/html',
      'grpc-status=0',
      Code.Unknown,
      /text/,
    ],
    ['trailers only', '', `${grpc}|grpc-status=7|grpc-message=no`, Code.PermissionDenied, /^no$/],
    ['trailers only, 415', '', ':status=415|content-type=application/grpc|grpc-status=3', 3, /^$/],
    ['trailers only, no status', '', grpc, Code.Unknown, /without grpc-status/],
    [
      'trailers only, HTTP status',
      '',
      ':status=429|content-type=application/grpc',
      Code.Unavailable,
      /429/,
    ],
    ['trailers only, not gRPC', '', ':status=401|grpc-status=0', Code.Unauthenticated, /401/],
  ]
  for (const [what, head, ending, code, message] of table) {
    const before = head === '' ? undefined : parseResponseHead(split(head))
    t.match(parseEnding(split(ending), before), { code, message }, what)
  }
})

t.test('details count only when there is one field of them', async (t) => {
  const head = parseResponseHead(split(':status=200|content-type=application/grpc'))
  t.equal(parseEnding(split('grpc-status=5|grpc-status-details-bin=AA'), head).detailsBin, 'AA')
  const twice = 'grpc-status=5|grpc-status-details-bin=AA|grpc-status-details-bin=AA'
  t.equal(parseEnding(split(twice), head).detailsBin, undefined)
  t.equal(parseEnding(split('grpc-status=5|grpc-status-details-bin=!'), head).code, Code.NotFound)
})

t.test('no field list makes a parser throw', async (t) => {
  const name = fc.oneof(
    fc.constantFrom(
      ':status',
      'grpc-status',
      'grpc-message',
      'grpc-timeout',
      'content-type',
      'x-bin',
    ),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
      const fields = pairs.flat()
      parseRequestHead(fields)
      parseEnding(fields, undefined)
      parseEnding(fields, parseResponseHead(fields))
    }),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('an equal list is read once', async (t) => {
  let calls = 0
  const remembered = new Remembered((fields) => `${fields.length}${calls++}`)
  const fields = ['a', 'b']
  t.equal(remembered.of(fields), '20')
  t.equal(remembered.of(fields), '20')
  t.equal(remembered.of(['a', 'b']), '21')
  t.equal(remembered.of(fields), '22')
})
