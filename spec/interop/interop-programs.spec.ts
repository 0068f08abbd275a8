// The interop programs as others run them: processes with flags, on real sockets.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  createClient,
  credentials,
  dial,
  loadReflectionService,
  Server,
} from '../../lib/grpc/index.ts'
import { CASES } from '../interop-programs/cases/cases.ts'
import { describeFlags, FlagError, parseFlags } from '../interop-programs/flags.ts'
import { loadTestServices } from '../interop-programs/test-service.ts'

const PROGRAMS = join(process.cwd(), 'dist/spec/interop-programs')
const TLS_CLIENT = ['-use_tls', '--use_test_ca=true', '--server_host_override=foo.test.google.fr']
/** As slow as a busy machine may be. */
const SOAK = [
  '-soak_iterations=6',
  '-soak_num_threads',
  '2',
  '--soak_overall_timeout_seconds=30',
  '--soak_per_iteration_max_acceptable_latency_ms=10000',
]

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts a program in a folder that has none of its files. */
function start(name: 'server' | 'client', args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(PROGRAMS, `${name}.js`), ...args], { cwd: tmpdir() })
}

async function outcome(child: ChildProcess): Promise<Outcome> {
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    err += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

function runClient(port: number, ...args: string[]): Promise<Outcome> {
  const server = ['-server_host', '127.0.0.1', `--server_port=${port}`]
  return outcome(start('client', [...server, ...args]))
}

async function startServer(
  t: Test,
  ...args: string[]
): Promise<{ child: ChildProcess; port: number; ended: Promise<Outcome> }> {
  const child = start('server', ['--port=0', ...args])
  const ended = outcome(child)
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { child, ended, port: Number(/127\.0\.0\.1:(\d+)/.exec(String(line))?.[1]) }
}

const passed = (out: string): string[] => out.match(/^PASS \S+/gm) ?? []

t.test('all cases pass over h2c and TLS; the servers stop when they are told to', async (t) => {
  const pass = async (serverArgs: string[], clientArgs: string[]): Promise<void> => {
    const { child, port, ended } = await startServer(t, ...serverArgs)
    const { code, out } = await runClient(port, '--test_case=all', ...SOAK, ...clientArgs)
    t.equal(code, 0, out)
    t.strictSame(
      passed(out),
      [...CASES.keys()].map((name) => `PASS ${name}`),
      out,
    )
    t.match(out, /^26 passed, 0 failed$/m)
    t.match(out, /^soak: 6 of 6 iterations, 0 failed; latency in ms: median [\d.]+/m)
    child.kill('SIGTERM')
    t.match(await ended, { code: 0, err: '' })
  }
  await Promise.all([pass([], []), pass(['-use_tls'], TLS_CLIENT)])
})

t.test('certificates can be given, and are checked', async (t) => {
  const certs = join(process.cwd(), 'spec/support/certs')
  const { port } = await startServer(
    t,
    '-use_tls',
    `-tls_cert_file=${certs}/server.pem`,
    `-tls_key_file=${certs}/server.key`,
  )
  const args = ['-use_tls', '-test_case=empty_unary']
  t.match(await runClient(port, ...args, `-ca_file=${certs}/ca.pem`), { code: 0 })
  const wrong = [[], ['-use_test_ca'], [`-ca_file=${certs}/ca.pem`, ...TLS_CLIENT.slice(2)]]
  const refused = wrong.map((each) => runClient(port, ...args, ...each))
  for (const { code, out } of await Promise.all(refused)) {
    t.equal(code, 1)
    t.match(out, /^FAIL empty_unary: UNAVAILABLE: .*certificate/m)
  }
})

t.test('the server has reflection, health and load reports', async (t) => {
  const { port } = await startServer(t)
  const conn = dial(`127.0.0.1:${port}`, { credentials: credentials.insecure() })
  t.teardown(() => conn.close())
  const client = createClient(await loadReflectionService(), conn)
  const questions = [
    { listServices: '' },
    { fileContainingSymbol: 'grpc.testing.TestService' },
    { fileContainingSymbol: 'xds.service.orca.v3.OpenRcaService' },
  ]
  const files: number[] = []
  let services: string[] = []
  for await (const answer of client.serverReflectionInfo(questions)) {
    services = answer.listServicesResponse?.service.map(({ name }) => name) ?? services
    files.push(answer.fileDescriptorResponse?.fileDescriptorProto.length ?? 0)
  }
  t.strictSame(services, [
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
    'grpc.testing.TestService',
    'xds.service.orca.v3.OpenRcaService',
  ])
  t.strictSame(files, [0, 3, 3])
})

t.test('what no case asks for', async (t) => {
  const { port } = await startServer(t)
  const conn = dial(`127.0.0.1:${port}`)
  t.teardown(() => conn.close())
  const { services } = await loadTestServices()
  const client = createClient(services.TestService, conn, { timeoutMs: 10_000 })

  const sizes: number[] = []
  const requests = [{ responseParameters: [{ size: 3 }, { size: 1, intervalUs: 1500 }] }, {}]
  for await (const { payload } of client.halfDuplexCall([...requests, ...requests])) {
    sizes.push(payload?.body?.length ?? 0)
  }
  t.strictSame(sizes, [3, 1, 3, 1], 'HalfDuplexCall answers all in order')

  let cacheControl: unknown
  const onHeaders = (headers: { get(name: string): unknown }): void => {
    cacheControl = headers.get('cache-control')
  }
  const first = await client.cacheableUnaryCall({}, { onHeaders })
  const second = await client.cacheableUnaryCall({})
  t.equal(cacheControl, 'max-age=60, public')
  t.match(String(first.payload?.body), /^\d{19}$/)
  t.notSame(first.payload?.body, second.payload?.body)

  const response = await client.unaryCall({ fillGrpclbRouteType: true })
  t.match(response, { username: '', oauthScope: '', serverId: '' })
  t.equal(response.grpclbRouteType, 'GRPCLB_ROUTE_TYPE_UNKNOWN')
  for (const wrong of [{ responseSize: -1 }, { responseType: 7 }]) {
    await t.rejects(client.unaryCall(wrong), { code: 3 })
  }
  const compressing = { compression: 'gzip', minCompressBytes: 0 }
  const expectCompressed = { value: false }
  await t.rejects(client.unaryCall({ expectCompressed }, compressing), { code: 3 })
  await t.rejects(client.streamingInputCall([{ expectCompressed }], compressing), { code: 3 })
})

t.test('against a server that says nothing the client fails', async (t) => {
  const seen: string[] = []
  const server = new Server({
    async *unknownService(requests, call) {
      seen.push(call.metadata.getAll('k').join())
      for await (const _ of requests) yield new Uint8Array()
    },
  })
  t.teardown(() => server.stop())
  const { port } = await server.listen('127.0.0.1:0')
  // Without those that say the same to a server whatever it answers, and orca_oob, which is patient.
  const others = ['empty_unary', 'empty_stream', 'timeout_on_sleeping_server', 'cancel_after_begin']
  const names = [...CASES.keys()].filter((name) => ![...others, 'orca_oob'].includes(name))
  const { code, out } = await runClient(
    port,
    `-test_case=${names}`,
    '--additional_metadata=k:v:w;k:x',
    '-soak_iterations=2',
  )
  t.equal(code, 1)
  t.strictSame(passed(out), [], out)
  t.match(out, new RegExp(`^0 passed, ${names.length} failed$`, 'm'))
  t.match(out, /^FAIL channel_soak: 2 iterations failed, want at most 0$/m)
  t.strictSame([...new Set(seen)], ['v:w,x'])
  const lenient = ['-soak_iterations=3', '-soak_max_failures=3']
  t.match(await runClient(port, '-test_case=rpc_soak', ...lenient), { code: 0 })
})

t.test('traces are written, a case may be repeated', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'interop-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const traces = [`${folder}/server`, `${folder}/client`] as const
  const { port } = await startServer(t, '-trace', traces[0])
  const args = ['-test_case=empty_unary', '-num_times=2', '-trace', traces[1]]
  t.match(await runClient(port, ...args), { code: 0, err: '' })
  const headers =
    /^#1 \S+ \+[\d.]+ms [<>] HEADERS .*:path: \/grpc\.testing\.TestService\/EmptyCall/gm
  for (const file of traces) t.equal((await readFile(file, 'utf8')).match(headers)?.length, 2)
})

t.test('wrong flags are told, with status 2; help with status 0', async (t) => {
  const runs: [ran: Promise<Outcome>, want: object][] = [
    [runClient(1, '-nonsense'), { code: 2, err: /not defined: -nonsense/ }],
    [runClient(1, '-test_case=a'), { code: 2, err: /unsupported test case: a/ }],
    [runClient(1, '-additional_metadata=a'), { code: 2, err: /want key:value/ }],
    [outcome(start('server', ['-port=x'])), { code: 2, err: /a whole number/ }],
    [outcome(start('server', ['--help'])), { code: 0, out: /--tls_cert_file/ }],
    [runClient(1, '-h'), { code: 0, out: /cancel_after_begin[\s\S]*--soak_iterations/ }],
  ]
  for (const [ran, want] of runs) t.match(await ran, want)
})

t.test('flags are taken as Go takes them', (t) => {
  const table = { s: ['d', 'a text'], long_name: [5, 'a number'], b: [false, 'a choice'] } as const
  for (const [args, want] of [
    [[], { s: 'd', long_name: 5, b: false }],
    [['-s', '-b'], { s: '-b', long_name: 5, b: false }],
    [['--s=', '--long_name', '-3', '-b'], { s: '', long_name: -3, b: true }],
    [['-s=a=b', '-b=false'], { s: 'a=b', long_name: 5, b: false }],
    [['-b=T', '-s', 'x', '-s', 'y'], { s: 'y', long_name: 5, b: true }],
  ] as const) {
    t.strictSame(parseFlags(table, args), want, args.join(' '))
  }
  for (const args of [['-b', 'false'], ['x'], ['-'], ['--'], ['---s'], ['-s'], ['-c'], ['-b=2']]) {
    t.throws(() => parseFlags(table, args), FlagError, args.join(' '))
  }
  for (const value of ['', '1.5', '1e3', '0x1', 'x']) {
    t.throws(() => parseFlags(table, [`-long_name=${value}`]), FlagError, value)
  }
  t.equal(
    describeFlags(table),
    '  --s          a text (default d)\n  --long_name  a number (default 5)\n  --b          a choice\n',
  )
  t.end()
})
