// What a suite of the conformance program is: its pinned counts, what stands under test in it, and
// how its cases come out.
import type { Command } from './process/child.ts'
import type { SuiteRun } from './suite-run.ts'

/** Cases that are counted together, and how many they must be. */
export interface Group {
  readonly name: string
  readonly cases: number
}

/** A suite by name. */
export interface Suite {
  readonly name: string
  /** One line for `--help`. */
  readonly summary: string
  /** A subject without one of these does not run it. */
  readonly roles: readonly RoleName[]
  /** Every group must come to its count, no less and no more. */
  readonly groups: (options: SuiteOptions) => readonly Group[]
  /** The peers and their versions, as in `h2spec 2.2.1`. */
  readonly peers: () => Promise<readonly string[]>
  /** Runs every case and tells `run` of each. What it throws counts as a failure. */
  readonly execute: (run: SuiteRun) => Promise<void>
}

/** What was asked for on the command line. */
export interface SuiteOptions {
  /** Also what a machine has only with more parts, or takes long. */
  readonly full: boolean
}

/** How one case came out. */
export interface CaseResult {
  readonly group: string
  readonly name: string
  readonly ms: number
  readonly failure: Failure | undefined
}

/** Why a case failed. */
export interface Failure {
  readonly reason: string
  /** The frames that passed, a line each; absent when nobody saw them. */
  readonly frames: string | undefined
}

/** How a suite came out for one subject. */
export interface SuiteResult {
  readonly suite: string
  readonly subject: string
  readonly groups: readonly Group[]
  readonly cases: readonly CaseResult[]
  readonly ms: number
}

/** How a server under test is started for a suite. */
export interface ServerAt {
  /** 0: it chooses one and prints it as `127.0.0.1:PORT`. */
  readonly port: number
  readonly tls: boolean
  /** Where it appends the frames of its connections, if it can. */
  readonly traceFile: string
}

/** A server under test. */
export interface ServerProgram {
  /** It cannot be given port 0 and tell the port that it got. */
  readonly needsPort?: boolean
  readonly command: (at: ServerAt, progress: (line: string) => void) => Promise<Command>
}

/** A client under test that is given whatever it needs by arguments that the suite adds. */
export interface ClientProgram {
  readonly command: (traceFile: string, progress: (line: string) => void) => Promise<Command>
}

/** What a subject can be in a suite. */
export interface Roles {
  /** Its codecs of frames and header blocks are called in this process. */
  readonly codecs: 'here'
  /** Answers GET and POST of `/` with 200 and octets, once it has read the request. */
  readonly h2Server: ServerProgram
  /** Requests the URL that is its last argument, and stays until the server closes. */
  readonly h2Client: ClientProgram
  /** The server of connectconformance's protocol on stdin and stdout. */
  readonly connectServer: ClientProgram
  /** The client of the same. */
  readonly connectClient: ClientProgram
  /** grpc.testing.TestService. */
  readonly interopServer: ServerProgram
  /** Takes the flags of grpc-go's interop client. */
  readonly interopClient: ClientProgram
  /** Serves what calls/service.ts describes. */
  readonly callsServer: ServerProgram
  /** Runs the check of calls/checks.ts that `--check` names at `--port`. */
  readonly callsClient: ClientProgram
  /** Takes the flags of grpc-go's client for negative HTTP/2 cases. */
  readonly negativeClient: ClientProgram
}

/** One of them. */
export type RoleName = keyof Roles

/** Whatever stands under test: framewright, or a stack that it is compared with. */
export interface Subject {
  readonly name: string
  readonly roles: Partial<Roles>
}
