// h2spec: an HTTP/2 server under test, in clear text and over TLS, strict.
import { goTool, goVersion } from '../peers/go.ts'
import { runToEnd } from '../process/child.ts'
import type { Suite } from '../suite.ts'
import type { RunningServer, SuiteRun } from '../suite-run.ts'
import { type H2specCase, readH2specOutput } from './h2spec-output.ts'

const GROUPS = [
  { name: 'h2c', tls: false },
  { name: 'TLS', tls: true },
]
const CASES = 146
const RUN_MS = 5 * 60_000
/** Cases of a server that fail more often say nothing new by their frames. */
const MAX_SHOWN = 10

export const h2spec: Suite = {
  name: 'h2spec',
  summary: 'an HTTP/2 server against h2spec, strict, in clear text and over TLS',
  roles: ['h2Server'],
  groups: () => GROUPS.map(({ name }) => ({ name, cases: CASES })),
  peers: async () => [`h2spec ${await goVersion('github.com/summerwind/h2spec')}`],
  async execute(run) {
    const tool = await goTool('h2spec', run.progress)
    for (const { name, tls } of GROUPS) {
      const server = await run.serve(name, run.role('h2Server'), tls)
      const test = new H2spec(run, tool, name, tls, server)
      for (const one of await test.run([])) await test.report(one)
    }
  },
}

/** h2spec against one server. */
class H2spec {
  private readonly suite: SuiteRun
  private readonly tool: string
  private readonly group: string
  private readonly tls: boolean
  private readonly server: RunningServer
  private failures = 0

  public constructor(
    suite: SuiteRun,
    tool: string,
    group: string,
    tls: boolean,
    server: RunningServer,
  ) {
    this.suite = suite
    this.tool = tool
    this.group = group
    this.tls = tls
    this.server = server
  }

  /** The cases with these ids, or all. */
  public async run(ids: readonly string[]): Promise<H2specCase[]> {
    const at = ['-h', '127.0.0.1', '-p', String(this.server.port), '-S', '-o', '2']
    const args = [...at, ...(this.tls ? ['-t', '-k'] : []), ...ids]
    const { stdout, stderr } = await runToEnd({ file: this.tool, args }, RUN_MS)
    return readH2specOutput(stdout + stderr)
  }

  /** A case that failed runs once more on its own, for the frames of it alone; the first ones do. */
  public async report({ id, title, passed, reason }: H2specCase): Promise<void> {
    const name = `${id} ${title}`
    if (passed) return this.suite.passed(this.group, name)
    this.failures += 1
    const isShown = this.failures <= MAX_SHOWN
    const frames = isShown ? await this.suite.framesOf(() => this.run([id])) : undefined
    this.suite.failed(this.group, name, reason.trim() || 'skipped', frames)
  }
}
