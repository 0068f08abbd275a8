// The percent encoding of grpc-message. Source: grpc/doc/PROTOCOL-HTTP2.md, "Status-Message".

const PLAIN = /^(?! )[\x20-\x24\x26-\x7e]*(?<! )$/
const NEEDS_DECODING = /[%\x80-\xff]/
const SPACE = 0x20
const PERCENT = 0x25
const TILDE = 0x7e

const HEX = '0123456789ABCDEF'

/**
 * Encodes a status message for the wire: UTF-8, then every octet outside 0x20-0x7e and `%` as `%XX`.
 * Outer spaces are encoded too, since field values may be trimmed on their way. A lone surrogate
 * becomes U+FFFD. Text that needs nothing comes back as it is.
 */
export function encodeGrpcMessage(text: string): string {
  if (PLAIN.test(text)) return text
  const octets = Buffer.from(text, 'utf8')
  const last = octets.length - 1
  let encoded = ''
  for (let i = 0; i <= last; i++) {
    const octet = octets[i]!
    const outerSpace = octet === SPACE && (i === 0 || i === last)
    if (octet < SPACE || octet > TILDE || octet === PERCENT || outerSpace) {
      encoded += `%${HEX[octet >> 4]}${HEX[octet & 15]}`
    } else {
      encoded += String.fromCharCode(octet)
    }
  }
  return encoded
}

/**
 * Decodes a received grpc-message, one character an octet. Never fails: an escape that is not one
 * stays as it came, octets that are not UTF-8 become U+FFFD.
 */
export function decodeGrpcMessage(value: string): string {
  if (!NEEDS_DECODING.test(value)) return value
  const octets = Buffer.from(value, 'latin1')
  let length = 0
  for (let i = 0; i < octets.length; i++) {
    let octet = octets[i]!
    if (octet === PERCENT && i + 2 < octets.length) {
      const high = hexDigit(octets[i + 1]!)
      const low = hexDigit(octets[i + 2]!)
      if (high >= 0 && low >= 0) {
        octet = (high << 4) | low
        i += 2
      }
    }
    octets[length++] = octet
  }
  return octets.toString('utf8', 0, length)
}

function hexDigit(char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30
  const letter = char | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
