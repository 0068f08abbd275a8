// A channel of framewright to look at from outside: flags, input and output are those of
// spec/peers/go/behaviour, which says what they are.
import { createInterface } from 'node:readline'
import { ConnectivityState } from '../../../lib/balancer/index.ts'
import {
  bytesCodec,
  type ClientConn,
  codeName,
  createClient,
  defineService,
  dial,
  type RpcError,
  unary,
} from '../../../lib/grpc/index.ts'
import { FlagError, type Flags } from '../../interop-programs/flags.ts'
import { print, runProgram } from '../../interop-programs/program.ts'

const TestService = defineService('behaviour.Test', { call: unary(bytesCodec, bytesCodec) })

const FLAGS = {
  target: ['', 'where calls go'],
  backoff_base_ms: [1_000, 'the first wait between attempts'],
  backoff_multiplier_percent: [160, 'growth of each further wait'],
  backoff_jitter_percent: [20, 'share of a wait that chance decides'],
  backoff_max_ms: [120_000, 'the longest wait'],
  min_connect_timeout_ms: [20_000, 'the least time of an attempt'],
  idle_timeout_ms: [1_800_000, 'time without a call until IDLE'],
  keepalive_time_ms: [0, 'silence until a ping; 0 for never'],
  keepalive_timeout_ms: [20_000, "time for the ping's ACK"],
  keepalive_without_calls: [false, 'pings also without calls'],
  service_config: ['{}', 'when the resolver has none'],
} as const

function channelOf(flags: Flags<typeof FLAGS>): ClientConn {
  return dial(flags.target, {
    backoff: {
      baseMs: flags.backoff_base_ms,
      multiplier: flags.backoff_multiplier_percent / 100,
      jitter: flags.backoff_jitter_percent / 100,
      maxMs: flags.backoff_max_ms,
    },
    minConnectTimeoutMs: flags.min_connect_timeout_ms,
    idleTimeoutMs: flags.idle_timeout_ms,
    serviceConfig: flags.service_config,
    keepalive: {
      timeMs: flags.keepalive_time_ms || Number.POSITIVE_INFINITY,
      timeoutMs: flags.keepalive_timeout_ms,
      permitWithoutStream: flags.keepalive_without_calls,
    },
  })
}

async function watch(conn: ClientConn): Promise<void> {
  for (;;) {
    const state = conn.getState()
    if (state === ConnectivityState.Shutdown) return
    print(`state ${state}`)
    await conn.waitForStateChange(state)
  }
}

async function call(
  conn: ClientConn,
  id: string,
  timeoutMs: number,
  waitForReady: boolean,
): Promise<void> {
  const client = createClient(TestService, conn)
  const code = await client.call(new Uint8Array(), { timeoutMs, waitForReady }).then(
    () => 0,
    (error: unknown) => (error as RpcError).code,
  )
  print(`result ${id} ${codeName(code)}`)
}

function act(conn: ClientConn, line: string): void {
  const [verb, id, timeoutMs] = line.split(' ')
  if (verb === 'connect') {
    conn.connect()
    return
  }
  if ((verb !== 'call' && verb !== 'wait') || id === undefined || timeoutMs === undefined) {
    throw new FlagError(`unknown: ${line}`)
  }
  void call(conn, id, Number(timeoutMs), verb === 'wait')
}

await runProgram({
  help: 'Usage: behaviour-client [flags] <commands',
  flags: FLAGS,
  run: async (flags) => {
    const conn = channelOf(flags)
    void watch(conn)
    for await (const line of createInterface(process.stdin)) act(conn, line)
    conn.close()
    return 0
  },
})
