// What the plain HTTP/2 servers under test share: flags, answer, end.
import { parseArgs } from 'node:util'

/** What every server answers. */
export const ANSWER = 'hello\n'
/**
 * How long it thinks: h2spec sends an illegal frame after a whole request and wants the stream to be
 * there still.
 */
export const ANSWER_DELAY_MS = 20

/** How a server was started. */
export interface ServerFlags {
  readonly port: number
  readonly tls: boolean
  readonly trace: string | undefined
}

/** The flags of the command line. */
export function serverFlags(): ServerFlags {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      tls: { type: 'boolean', default: false },
      trace: { type: 'string' },
    },
  })
  return { port: Number(values.port), tls: values.tls, trace: values.trace }
}

/** Resolves after `ms`. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Ends by `stop` when asked to. */
export function stopOnSignal(stop: () => unknown): void {
  process.once('SIGTERM', stop)
}
