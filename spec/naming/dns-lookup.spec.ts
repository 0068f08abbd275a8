import { createSocket } from 'node:dgram'
import t, { type Test } from 'tap'
import { isNoSuchHost, serverDnsLookup, systemDnsLookup } from '../../lib/naming/dns-lookup.ts'
import { findResolver } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingConn } from '../support/recording-conn.ts'

const TYPE_A = 1
const TYPE_TXT = 16
const TYPE_AAAA = 28
const TYPE_SRV = 33
const SERVFAIL = 2
const NXDOMAIN = 3

/** For a name and a type: record data, an error code, or silence. */
type Answers = (name: string, type: number) => readonly Buffer[] | number | undefined

/** A DNS server on loopback, RFC 1035; returns its `ip:port`. */
async function dnsServer(t: Test, answers: Answers): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const endOfName = query.indexOf(0, 12)
    const name = readName(query)
    const answer = answers(name, query.readUInt16BE(endOfName + 1))
    if (answer === undefined) return
    const records = typeof answer === 'number' ? [] : answer
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180 | (typeof answer === 'number' ? answer : 0), 2)
    header.writeUInt16BE(records.length, 6)
    header.writeUInt32BE(0, 8)
    const question = query.subarray(12, endOfName + 5)
    socket.send(Buffer.concat([header, question, ...records]), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.teardown(() => socket.close())
  return `127.0.0.1:${socket.address().port}`
}

function readName(query: Buffer): string {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]; length !== undefined && length > 0; length = query[at]) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return labels.join('.')
}

/** A record for the name of the question, living 60 s. */
function record(type: number, data: readonly number[]): Buffer {
  const head = Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length])
  return Buffer.concat([head, Buffer.from(data)])
}

const V4 = record(TYPE_A, [10, 0, 0, 1])
const V6 = record(TYPE_AAAA, [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
const never = (): AbortSignal => new AbortController().signal

t.test('localhost is an address of this machine', async (t) => {
  const addresses = await systemDnsLookup.addresses('localhost', never())
  t.not(addresses.length, 0)
  for (const address of addresses) t.ok(['127.0.0.1', '::1'].includes(address), address)
})

t.test('a resolver for localhost finds it by itself', async (t) => {
  const { target, builder } = findResolver('localhost:50051')
  const cc = new RecordingConn()
  const told = new Promise<void>((resolve) => {
    const { updateState } = cc
    cc.updateState = (state) => {
      updateState.call(cc, state)
      resolve()
    }
  })
  builder.build(target, cc, { clock: new FakeClock(), random: Math.random })
  await told
  t.match(cc.log[0]?.[0], /^(127\.0\.0\.1|\[::1\]):50051$/)
})

const ROWS: readonly (readonly [
  name: string,
  answers: Answers,
  found: readonly string[] | string,
])[] = [
  [
    'A and AAAA are asked for, IPv4 first',
    (_name, type) => (type === TYPE_A ? [V4] : [V6]),
    ['10.0.0.1', 'fd00::1'],
  ],
  ['no AAAA record is no failure', (_name, type) => (type === TYPE_A ? [V4] : []), ['10.0.0.1']],
  ['no A record is no failure', (_name, type) => (type === TYPE_A ? [] : [V6]), ['fd00::1']],
  [
    'one kind of record is enough when the other fails',
    (_name, type) => (type === TYPE_A ? SERVFAIL : [V6]),
    ['fd00::1'],
  ],
  ['a name that does not exist is ENOTFOUND', () => NXDOMAIN, 'ENOTFOUND'],
  ['a name without addresses is ENODATA', () => [], 'ENODATA'],
  [
    'a failing server says more than a missing record',
    (_name, type) => (type === TYPE_A ? [] : SERVFAIL),
    'ESERVFAIL',
  ],
]

for (const [name, answers, found] of ROWS) {
  t.test(name, async (t) => {
    const lookup = serverDnsLookup(await dnsServer(t, answers))
    const looking = lookup.addresses('host.example', never())
    if (typeof found === 'string') await t.rejects(looking, { code: found })
    else t.strictSame(await looking, found)
  })
}

t.test('SRV records have a host, a port, a priority and a weight', async (t) => {
  const host = [1, 97, 7, ...Buffer.from('example'), 0]
  const lookup = serverDnsLookup(
    await dnsServer(t, (_name, type) =>
      type === TYPE_SRV ? [record(TYPE_SRV, [0, 10, 0, 20, 0xc3, 0x83, ...host])] : NXDOMAIN,
    ),
  )
  t.strictSame(await lookup.srv('_grpc._tcp.example', never()), [
    { host: 'a.example', port: 50051, priority: 10, weight: 20 },
  ])
})

t.test('the strings of a TXT record are one text', async (t) => {
  const lookup = serverDnsLookup(
    await dnsServer(t, (_name, type) =>
      type === TYPE_TXT ? [record(TYPE_TXT, [2, 97, 98, 1, 99]), record(TYPE_TXT, [0])] : NXDOMAIN,
    ),
  )
  t.strictSame([...(await lookup.txt('host.example', never()))].sort(), ['', 'abc'])
})

t.test('SRV and TXT records that do not exist are errors', async (t) => {
  const lookup = serverDnsLookup(await dnsServer(t, () => NXDOMAIN))
  await t.rejects(lookup.srv('host.example', never()), { code: 'ENOTFOUND' })
  await t.rejects(lookup.txt('host.example', never()), { code: 'ENOTFOUND' })
})

t.test('the server is asked for the name as it is', async (t) => {
  const names = new Set<string>()
  const server = await dnsServer(t, (name) => {
    names.add(name)
    return [V4]
  })
  await serverDnsLookup(server).addresses('a.b.example', never())
  t.strictSame([...names], ['a.b.example'])
})

t.test('an aborted look-up ends although the server is silent', async (t) => {
  const abort = new AbortController()
  const server = await dnsServer(t, () => {
    abort.abort()
    return undefined
  })
  await t.rejects(serverDnsLookup(server).addresses('host.example', abort.signal), {
    code: 'ECANCELLED',
  })
})

t.test('a server must be an address', async (t) => {
  t.throws(() => serverDnsLookup('ns.example'))
})

t.test('which errors say that there is no such host', async (t) => {
  t.equal(isNoSuchHost('ENOTFOUND'), true)
  t.equal(isNoSuchHost('ENODATA'), true)
  t.equal(isNoSuchHost('ESERVFAIL'), false)
  t.equal(isNoSuchHost(undefined), false)
})
