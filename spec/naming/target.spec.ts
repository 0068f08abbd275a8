import t from 'tap'
import { parseTarget } from '../../lib/naming/index.ts'

const KNOWN = ['dns', 'unix', 'ipv4', 'passthrough', 'a+b.c-1']
const isKnown = (scheme: string): boolean => KNOWN.includes(scheme)

const ROWS: readonly (readonly [string, string, string, string, string, string?])[] = [
  // text, scheme, authority, path, endpoint, query
  ['dns:///host:443', 'dns', '', '/host:443', 'host:443'],
  ['dns:host:443', 'dns', '', 'host:443', 'host:443'],
  ['dns://8.8.8.8:53/host', 'dns', '8.8.8.8:53', '/host', 'host'],
  ['dns://[::1]:53/host', 'dns', '[::1]:53', '/host', 'host'],
  ['dns://[fe80::1%25eth0]:53/host', 'dns', '[fe80::1%eth0]:53', '/host', 'host'],
  ['dns:///host:443?a=b%20c', 'dns', '', '/host:443', 'host:443', 'a=b%20c'],
  ['dns:///host:443?a=b#part', 'dns', '', '/host:443', 'host:443', 'a=b'],
  ['dns:///host#part?a=b', 'dns', '', '/host', 'host'],
  ['dns://8.8.8.8?a', 'dns', '8.8.8.8', '', '', 'a'],
  ['dns:host?a', 'dns', '', 'host', 'host', 'a'],
  ['dns:/host', 'dns', '', '/host', 'host'],
  ['DNS:///Host', 'dns', '', '/Host', 'Host'],
  ['a+b.c-1:x', 'a+b.c-1', '', 'x', 'x'],
  ['unix:relative/path', 'unix', '', 'relative/path', 'relative/path'],
  ['unix:/absolute', 'unix', '', '/absolute', 'absolute'],
  ['unix:///absolute', 'unix', '', '/absolute', 'absolute'],
  ['unix:///a%20b%2Fc', 'unix', '', '/a b/c', 'a b/c'],
  ['unix:///a%3Fb%23c', 'unix', '', '/a?b#c', 'a?b#c'],
  ['unix:///50%', 'unix', '', '/50%', '50%'],
  ['ipv4:1.2.3.4:80,5.6.7.8', 'ipv4', '', '1.2.3.4:80,5.6.7.8', '1.2.3.4:80,5.6.7.8'],
  ['passthrough:///unix:///x', 'passthrough', '', '/unix:///x', 'unix:///x'],
  ['passthrough://', 'passthrough', '', '', ''],
  // no scheme, or none that is known: as dns:///text
  ['localhost', 'dns', '', '/localhost', 'localhost'],
  ['localhost:50051', 'dns', '', '/localhost:50051', 'localhost:50051'],
  [':50051', 'dns', '', '/:50051', ':50051'],
  ['[::1]:80', 'dns', '', '/[::1]:80', '[::1]:80'],
  ['fe80::1%eth0', 'dns', '', '/fe80::1%eth0', 'fe80::1%eth0'],
  ['what://ever/it', 'dns', '', '/what://ever/it', 'what://ever/it'],
  ['host:80?a=b', 'dns', '', '/host:80', 'host:80', 'a=b'],
  ['', 'dns', '', '/', ''],
]

for (const [text, scheme, authority, path, endpoint, query = ''] of ROWS) {
  t.test(`"${text}" is ${scheme} with endpoint "${endpoint}"`, async (t) => {
    t.strictSame(parseTarget(text, isKnown), {
      text,
      scheme,
      authority,
      path,
      endpoint,
      query,
    })
  })
}

t.test('the default scheme is the caller’s choice', async (t) => {
  t.match(parseTarget('host:1', isKnown, 'passthrough'), {
    scheme: 'passthrough',
    endpoint: 'host:1',
  })
})
