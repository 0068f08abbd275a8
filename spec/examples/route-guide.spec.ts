import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { distanceM, generateFeatures } from '../../examples/route-guide/features.ts'

const MAIN = 'dist/examples/route-guide/main.js'

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = start(...args)
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    err += chunk
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, out, err }
}

t.test('the main job makes all four calls and shows what went over the wire', async (t) => {
  const { code, out } = await run()
  t.equal(code, 0)
  for (const method of ['GetFeature', 'ListFeatures', 'RecordRoute', 'RouteChat']) {
    t.match(out, new RegExp(`^${method}$`, 'm'), method)
    t.match(out, new RegExp(`^  ${method}( +\\d+){4} +[\\d.]+$`, 'm'), `${method} in the table`)
  }
  t.match(out, /: Elderbrook Bridge$/m)
  t.match(out, /10 points, 9 features, [\d.]+ km/)
  t.match(out, /earlier at .*: "mind the dog"/)
})

t.test('--trace prints a line for each frame, in both directions', async (t) => {
  const { code, out } = await run('--trace')
  t.equal(code, 0)
  t.match(out, /\| \+[\d.]+ms > HEADERS stream=1 .*:path: \/routeguide\.RouteGuide\/GetFeature/)
  t.match(out, /\| \+[\d.]+ms < HEADERS stream=1 .*grpc-status: 0/)
})

t.test('server and client can be started apart', async (t) => {
  const server = start('--listen', '127.0.0.1:0')
  t.teardown(() => server.kill())
  const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const address = /listens at (\S+);/.exec(String(line))?.[1] ?? ''
  const { code, out } = await run('--connect', address)
  t.equal(code, 0)
  t.match(out, /RouteChat/)
  const closed = once(server, 'close')
  server.kill('SIGTERM')
  t.strictSame(await closed, [0, null])
})

t.test('mistakes are told, with status 1', async (t) => {
  const { code, err } = await run('--bogus')
  t.equal(code, 1)
  t.match(err, /--bogus/)
  t.match((await run('--help')).out, /--connect/)
})

t.test('the land is the same on every run, with at least 100 features', async (t) => {
  const features = generateFeatures()
  t.ok(features.length >= 100)
  t.strictSame(features, generateFeatures())
  t.not(
    generateFeatures(3, 1)[0]?.location?.latitude,
    generateFeatures(3, 2)[0]?.location?.latitude,
  )
  const degree = distanceM({ latitude: 0, longitude: 0 }, { latitude: 10_000_000, longitude: 0 })
  t.ok(Math.abs(degree - 111_195) < 10, `a degree of latitude is ${degree} m`)
})
