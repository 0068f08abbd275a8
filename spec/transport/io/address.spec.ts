import t from 'tap'
import { formatTransportAddress, parseTransportAddress } from '../../../lib/transport/io/address.ts'

t.test('addresses are read and written back', (t) => {
  for (const [text, address, written] of [
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }, '127.0.0.1:80'],
    ['localhost:0', { host: 'localhost', port: 0 }, 'localhost:0'],
    [':50051', { host: 'localhost', port: 50051 }, 'localhost:50051'],
    ['[::1]:443', { host: '::1', port: 443 }, '[::1]:443'],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }, '[fe80::1%eth0]:1'],
    ['unix:/run/a.sock', { path: '/run/a.sock' }, 'unix:/run/a.sock'],
    ['unix:///run/a.sock', { path: '/run/a.sock' }, 'unix:/run/a.sock'],
    ['unix:a.sock', { path: 'a.sock' }, 'unix:a.sock'],
    ['unix-abstract:name', { path: '\0name' }, 'unix-abstract:name'],
  ] as const) {
    t.strictSame(parseTransportAddress(text), address, text)
    t.equal(formatTransportAddress(address), written)
  }
  t.end()
})

t.test('anything else is refused', (t) => {
  for (const text of [
    '',
    'host',
    '::1',
    '[::1]',
    'host:',
    'host:x',
    'host:65536',
    '[1.2.3.4]:5',
    'unix:',
    'unix-abstract:',
    'a:b:c',
  ]) {
    t.throws(() => parseTransportAddress(text), /got address .*, want host:port/, text)
  }
  t.end()
})
