import fc from 'fast-check'
import t from 'tap'
import { decodeEndpoint, encodeEndpoint } from '../../../lib/plugins/etcd/index.ts'

const VALUES: readonly [value: string, address: unknown][] = [
  ['{"Op":0,"Addr":"127.0.0.1:1234","Metadata":null}', { address: '127.0.0.1:1234' }],
  ['{"Op":1,"Addr":"h:1","Metadata":{"a":[1]}}', { address: 'h:1', metadata: { a: [1] } }],
  [' {"Addr":"[::1]:80"}', { address: '[::1]:80' }],
  ['{"Addr":"h:1","Metadata":0}', { address: 'h:1', metadata: 0 }],
  ['host:50051', { address: 'host:50051' }],
  ['[fe80::1%eth0]:1', { address: '[fe80::1%eth0]:1' }],
  ['unix:/run/s', { address: 'unix:/run/s' }],
  ['unix-abstract:s', { address: 'unix-abstract:s' }],
  ['', undefined],
  ['host', undefined],
  ['::1:80', undefined],
  ['host:port', undefined],
  ['http://host:80', undefined],
  ['two words:80', undefined],
  ['{', undefined],
  ['{}', undefined],
  ['{"Addr":""}', undefined],
  ['{"Addr":80}', undefined],
  ['{"Addr":"host"}', undefined],
]

t.test('a value is the JSON of etcd’s naming packages or a bare address', (t) => {
  for (const [value, address] of VALUES) t.strictSame(decodeEndpoint(value), address, value)
  t.end()
})

t.test('what is encoded is what Go’s encoding/json writes, and is read back', (t) => {
  t.equal(encodeEndpoint('127.0.0.1:1234'), '{"Op":0,"Addr":"127.0.0.1:1234","Metadata":null}')
  fc.assert(
    fc.property(fc.nat(65535), fc.jsonValue(), (port, metadata) => {
      const address = `host:${port}`
      const same = JSON.parse(JSON.stringify(metadata))
      t.strictSame(
        decodeEndpoint(encodeEndpoint(address, metadata)),
        same === null ? { address } : { address, metadata: same },
      )
    }),
  )
  t.end()
})

t.test('no value makes it throw', (t) => {
  fc.assert(fc.property(fc.string(), (value) => void decodeEndpoint(value)))
  t.end()
})
