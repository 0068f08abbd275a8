// content-length: how it is read and how DATA is counted against it. RFC 9110 section 8.6, RFC 9113
// section 8.1.1. The count is one integer, which a stream keeps itself. Which messages are exempt
// (responses to HEAD, 304) is known above: they are counted with NO_CONTENT_LENGTH.

/** No content-length: any amount of content is right. */
export const NO_CONTENT_LENGTH = -1
/** The field's value is no length. */
export const BAD_CONTENT_LENGTH = -2
/** More content came than was announced. */
export const CONTENT_OVERRUN = -3

const DIGITS = /^[0-9]+$/

/** The length that a field value says, or {@link BAD_CONTENT_LENGTH}: decimal digits, below 2^53. */
export function parseContentLength(value: string): number {
  if (!DIGITS.test(value)) return BAD_CONTENT_LENGTH
  const length = Number(value)
  return Number.isSafeInteger(length) ? length : BAD_CONTENT_LENGTH
}

/** The content-length of a field list that passed its rules, or {@link NO_CONTENT_LENGTH}. */
export function contentLengthOf(fields: readonly string[]): number {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === 'content-length') return parseContentLength(fields[i + 1]!)
  }
  return NO_CONTENT_LENGTH
}

/**
 * What is left of `remaining` after `bytes` of content (padding not counted), or
 * {@link CONTENT_OVERRUN}: a stream error of type PROTOCOL_ERROR.
 */
export function contentAfter(remaining: number, bytes: number): number {
  if (remaining === NO_CONTENT_LENGTH) return NO_CONTENT_LENGTH
  return bytes > remaining ? CONTENT_OVERRUN : remaining - bytes
}

/** Whether the content may end here; if not, a stream error of type PROTOCOL_ERROR. */
export function isContentComplete(remaining: number): boolean {
  return remaining === 0 || remaining === NO_CONTENT_LENGTH
}
