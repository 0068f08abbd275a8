import fc from 'fast-check'
import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import {
  decodeStatusDetails,
  encodeStatusDetails,
  type StatusDetail,
  withDetails,
} from '../../../lib/grpc/protocol/status-details.ts'

const DETAILS: StatusDetail[] = [
  { '@type': 'google.rpc.ErrorInfo', reason: 'R', domain: 'd.example', metadata: { a: 'b' } },
  { '@type': 'google.rpc.RetryInfo', retryDelay: { seconds: 5n, nanos: 500_000_000 } },
  { '@type': 'google.rpc.DebugInfo', stackEntries: ['at a', 'at b'], detail: 'd' },
  {
    '@type': 'google.rpc.QuotaFailure',
    violations: [
      {
        subject: 's',
        description: 'd',
        apiService: 'a',
        quotaMetric: 'm',
        quotaId: 'i',
        quotaDimensions: { region: 'r' },
        quotaValue: 10n,
        futureQuotaValue: 20n,
      },
    ],
  },
  {
    '@type': 'google.rpc.PreconditionFailure',
    violations: [{ type: 'TOS', subject: 's', description: 'd' }],
  },
  {
    '@type': 'google.rpc.BadRequest',
    fieldViolations: [
      {
        field: 'a.b',
        description: 'd',
        reason: 'R',
        localizedMessage: { locale: 'de', message: 'nein' },
      },
    ],
  },
  { '@type': 'google.rpc.RequestInfo', requestId: 'r', servingData: 's' },
  {
    '@type': 'google.rpc.ResourceInfo',
    resourceType: 't',
    resourceName: 'n',
    owner: 'o',
    description: 'd',
  },
  { '@type': 'google.rpc.Help', links: [{ description: 'd', url: 'https://example' }] },
  { '@type': 'google.rpc.LocalizedMessage', locale: 'en-US', message: 'm' },
  { '@type': 'my.own.Type', value: Buffer.from([1, 2, 3]) },
  { '@type': 'elsewhere.example/my.own.Type', value: Buffer.from([4]) },
]

t.test('gives all standard details and others back, in order', async (t) => {
  const encoded = encodeStatusDetails(Code.NotFound, 'nö', DETAILS)
  t.match(encoded, /^[A-Za-z0-9+/]+$/)
  t.same(decodeStatusDetails(encoded), { code: 5, message: 'nö', details: DETAILS })
})

t.test('the octets are those of google.rpc.Status', async (t) => {
  const encoded = encodeStatusDetails(3, 'x', [
    { '@type': 'google.rpc.RequestInfo', requestId: 'r' },
    { '@type': 'a.B', value: Buffer.of(7) },
  ])
  const url = Buffer.from('type.googleapis.com/google.rpc.RequestInfo')
  const other = Buffer.from('type.googleapis.com/a.B')
  t.equal(
    Buffer.from(encoded, 'base64').toString('hex'),
    [
      `0803 120178`,
      `1a${hexByte(2 + url.length + 2 + 3)} 0a${hexByte(url.length)}${url.toString('hex')} 1203 0a0172`,
      `1a${hexByte(2 + other.length + 2 + 1)} 0a${hexByte(other.length)}${other.toString('hex')} 1201 07`,
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})
const hexByte = (value: number): string => value.toString(16).padStart(2, '0')

t.test('a detail that does not decode stays octets', async (t) => {
  const value = Buffer.from([0x0a, 0xff])
  const encoded = encodeStatusDetails(5, '', [{ '@type': 'google.rpc.Help', value }])
  t.same(decodeStatusDetails(encoded)?.details, [{ '@type': 'google.rpc.Help', value }])
})

t.test('a detail that is not of its type is refused by name', async (t) => {
  const table: [detail: unknown, message: RegExp][] = [
    [
      { '@type': 'google.rpc.ErrorInfo', reason: 5 },
      /^details\[0\]\.reason: got number 5, want a string/,
    ],
    [
      { '@type': 'my.own.Type' },
      /^details\[0\]: got an object.*want a standard detail, or .* for my.own.Type/,
    ],
    [{ '@type': 'google.rpc.Help', links: [{ url: 1 }] }, /^details\[0\]\.links\[0\]\.url: /],
  ]
  for (const [detail, message] of table) {
    t.throws(() => encodeStatusDetails(5, '', [detail as StatusDetail]), { message })
  }
})

t.test('details win over the message, unless their code differs', async (t) => {
  const rich = encodeStatusDetails(5, 'from details', DETAILS.slice(0, 1))
  t.match(withDetails({ code: 5, message: 'plain' }, rich), {
    code: 5,
    message: 'from details',
    details: DETAILS.slice(0, 1),
  })
  t.match(withDetails({ code: 3, message: 'plain' }, rich), {
    code: Code.Internal,
    message: /says code 5, want 3/,
    details: [],
  })
  for (const ignored of [undefined, '!', 'AAAA', 'CP8']) {
    t.same(withDetails({ code: 5, message: 'plain' }, ignored), {
      code: 5,
      message: 'plain',
      details: [],
    })
  }
})

t.test('no field makes decoding throw', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.base64String(), fc.string()), (text) => {
      decodeStatusDetails(text)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})
