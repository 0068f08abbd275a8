// connectconformance: a gRPC server, and a gRPC client, under test by connect-go and grpc-go; in clear
// text, with TLS and with client certificates.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { goTool, goVersion } from '../peers/go.ts'
import { runToEnd } from '../process/child.ts'
import { hasZstd } from '../programs/connect-compressors.ts'
import type { Suite, SuiteOptions } from '../suite.ts'
import { readConnectOutput } from './connect-output.ts'

const RUN_MS = 10 * 60_000
/** Of so many failing cases the frames are shown; a case runs once more for them. */
const MAX_TRACED = 10

/** What differs between the two suites. */
interface Mode {
  readonly name: 'server' | 'client'
  readonly role: 'connectServer' | 'connectClient'
  /** The client under test says itself how much it does at once. */
  readonly flags: readonly string[]
  /** Cases with identity and gzip, and for each encoding more. */
  readonly cases: number
  readonly casesAnEncoding: number
}

export const connectServer: Suite = connectSuite({
  name: 'server',
  role: 'connectServer',
  flags: ['--max-servers', '4', '-p', '8'],
  cases: 570,
  casesAnEncoding: 177,
})

export const connectClient: Suite = connectSuite({
  name: 'client',
  role: 'connectClient',
  flags: [],
  cases: 646,
  casesAnEncoding: 211,
})

function connectSuite(mode: Mode): Suite {
  return {
    name: `connect-${mode.name}`,
    summary: `a gRPC ${mode.name} against connectconformance: connect-go and grpc-go`,
    roles: [mode.role],
    groups: (options) => [groupOf(mode, options)],
    peers: async () => [`connectconformance ${await goVersion('connectrpc.com/conformance')}`],
    async execute(run) {
      const group = groupOf(mode, run).name
      const tool = await goTool('connectconformance', run.progress)
      const { file, args } = await run.client(mode.name, run.role(mode.role))
      const config = join(run.scratch, 'config.yaml')
      writeFileSync(config, configText(run))
      const runCases = async (...more: string[]): Promise<string> => {
        const flags = ['--mode', mode.name, '--conf', config, '--vv', ...mode.flags, ...more]
        const { stdout, stderr } = await runToEnd(
          { file: tool, args: [...flags, '--', file, ...args] },
          RUN_MS,
        )
        return stdout + stderr
      }
      const { cases, computed, notRun } = readConnectOutput(await runCases())
      let traced = 0
      for (const { name, reason } of cases) {
        if (reason === undefined) run.passed(group, name)
        else {
          const trace = traced++ < MAX_TRACED
          const frames = trace ? await run.framesOf(() => runCases('--run', name)) : undefined
          run.failed(group, name, reason, frames)
        }
      }
      // The tool's exit status is 0 even so.
      if (notRun > 0) run.failed('run', `${notRun} of ${computed} cases`, 'could not be run')
    },
  }
}

/** Beside identity and gzip. */
function moreEncodings({ full }: SuiteOptions): readonly string[] {
  return full ? ['deflate', 'br', 'snappy', ...(hasZstd ? ['zstd'] : [])] : []
}

function groupOf(mode: Mode, options: SuiteOptions): { name: string; cases: number } {
  const more = moreEncodings(options)
  return {
    name: ['identity', 'gzip', ...more].join(' '),
    cases: mode.cases + mode.casesAnEncoding * more.length,
  }
}

function configText(options: SuiteOptions): string {
  const encodings = ['identity', 'gzip', ...moreEncodings(options)]
  return `features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  compressions: [${encodings.map((name) => `COMPRESSION_${name.toUpperCase()}`).join(', ')}]
  streamTypes:
    - STREAM_TYPE_UNARY
    - STREAM_TYPE_CLIENT_STREAM
    - STREAM_TYPE_SERVER_STREAM
    - STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM
    - STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM
  supportsH2c: true
  supportsTls: true
  supportsTlsClientCerts: true
  supportsTrailers: true
  supportsMessageReceiveLimit: true
`
}
