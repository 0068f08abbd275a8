// Where the library speaks when no caller can hear: faults of handlers, lost connections. Silent
// unless a logger is given; `console` is one.

/** The part of `console` that the library uses. */
export interface Logger {
  error(message: string, error?: unknown): void
  warn(message: string, error?: unknown): void
}

/** Says nothing. */
export const silentLogger: Logger = { error() {}, warn() {} }
