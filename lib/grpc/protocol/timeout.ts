// The grpc-timeout field: up to eight digits and a unit. Pure; deadlines and timers live elsewhere.
// Source: grpc/doc/PROTOCOL-HTTP2.md, "Timeout".

const MAX_VALUE = 99_999_999
const MAX_DIGITS = 8

/** Units from the finest: what a millisecond is in them, and their letter. */
const UNITS: readonly (readonly [perMs: number, letter: string])[] = [
  [1e6, 'n'],
  [1e3, 'u'],
  [1, 'm'],
  [1 / 1e3, 'S'],
  [1 / 60e3, 'M'],
  [1 / 3600e3, 'H'],
]

let lastMs = Number.NaN
let lastText = ''

/**
 * Encodes a timeout in ms, any length, fractions allowed: the finest unit in which the value,
 * rounded up, has at most eight digits. Nothing left gives `0n`; what hours cannot hold is clamped.
 */
export function encodeTimeout(timeoutMs: number): string {
  if (timeoutMs === lastMs) return lastText
  lastMs = timeoutMs
  lastText = format(timeoutMs)
  return lastText
}

function format(timeoutMs: number): string {
  if (timeoutMs <= 0) return '0n'
  for (const [perMs, letter] of UNITS) {
    const value = Math.ceil(timeoutMs * perMs)
    if (value <= MAX_VALUE) return value + letter
  }
  return `${MAX_VALUE}H`
}

const ZERO = 0x30

/**
 * Parses a received grpc-timeout to ms. Undefined for anything but one to eight digits and one of
 * the letters H M S m u n.
 */
export function parseTimeout(text: string): number | undefined {
  const digits = text.length - 1
  if (digits < 1 || digits > MAX_DIGITS) return undefined
  let value = 0
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  switch (text.charCodeAt(digits)) {
    case 0x6e: // n
      return value / 1e6
    case 0x75: // u
      return value / 1e3
    case 0x6d: // m
      return value
    case 0x53: // S
      return value * 1e3
    case 0x4d: // M
      return value * 60e3
    case 0x48: // H
      return value * 3600e3
    default:
      return undefined
  }
}
