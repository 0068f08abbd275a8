// node:http2 as the client of h2-client.ts, to be compared with.
import http2 from 'node:http2'

const STAY_MS = 2_500

const { origin, pathname } = new URL(process.argv.at(-1)!)
const session = http2.connect(origin)
session.on('error', () => {})
const stream = session.request({ ':path': pathname })
stream.on('error', () => {})
stream.resume()
setTimeout(() => process.exit(), STAY_MS).unref()
