// The certificates of spec/support/certs; see its README.
import { readFileSync } from 'node:fs'

function read(name: string): string {
  return readFileSync(`spec/support/certs/${name}`, 'latin1')
}

export const ca: string = read('ca.pem')
export const otherCa: string = read('other-ca.pem')
export const serverIdentity: { cert: string; key: string } = {
  cert: read('server.pem'),
  key: read('server.key'),
}
export const clientIdentity: { cert: string; key: string } = {
  cert: read('client.pem'),
  key: read('client.key'),
}
