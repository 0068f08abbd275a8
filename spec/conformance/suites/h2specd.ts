// h2specd: an HTTP/2 client under test. Each case is a port; the client is started once for each.
import { goTool, goVersion } from '../peers/go.ts'
import { runToEnd } from '../process/child.ts'
import { freePort } from '../process/ports.ts'
import type { Suite } from '../suite.ts'
import { readH2specOutput } from './h2spec-output.ts'

const GROUP = 'h2c'
const CASES = 57
const RUN_MS = 5 * 60_000
/** Ports above what systems give to clients by default end at 32,767. */
const FIRST_PORTS = { from: 20_000, to: 32_000 }

export const h2specd: Suite = {
  name: 'h2specd',
  summary: 'an HTTP/2 client against h2specd',
  roles: ['h2Client'],
  groups: () => [{ name: GROUP, cases: CASES }],
  peers: async () => [`h2specd ${await goVersion('github.com/summerwind/h2spec')}`],
  async execute(run) {
    const tool = await goTool('h2specd', run.progress)
    const { file, args, env = {} } = await run.client(GROUP, run.role('h2Client'))
    const runCases = async (ids: readonly string[]): Promise<string> => {
      const at = ['-h', '127.0.0.1', '-p', String(await freePort()), '-f', String(firstPort())]
      const command = [...at, '-o', '2', '-e', [file, ...args].join(' '), ...ids]
      const { stdout, stderr } = await runToEnd({ file: tool, args: command, env }, RUN_MS)
      return stdout + stderr // its exit status is 0 whatever happened
    }
    for (const { id, title, passed, reason } of readH2specOutput(await runCases([]))) {
      const name = `${id} ${title}`
      if (passed) run.passed(GROUP, name)
      else {
        const frames = await run.framesOf(() => runCases([id]))
        run.failed(GROUP, name, reason.trim() || 'skipped', frames)
      }
    }
  },
}

/** The start of a range of its own: the tool listens at as many ports in a row as it has cases. */
function firstPort(): number {
  const { from, to } = FIRST_PORTS
  const ranges = Math.floor((to - from) / CASES)
  return from + CASES * Math.floor(Math.random() * ranges)
}
