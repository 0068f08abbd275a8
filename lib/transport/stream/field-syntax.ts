// Which characters may stand where in a field: RFC 9113 section 8.2.1, RFC 9110 sections 5.1, 5.5,
// 5.6.2 and 9.1, RFC 3986 sections 3.1 and 3.3. One table of classes, one loop. Not here: which
// fields a message may have.

/** A set of characters; values are bits of the class table. */
export const Charset = {
  /** Field name: a token without upper case; ':' only as first character of a pseudo-header. */
  Name: 1,
  /** Field value: anything but control characters, horizontal tab excepted. */
  Value: 2,
  /** Method: a token. */
  Token: 4,
  Scheme: 8,
  /** Path and query: visible ASCII; a fragment is never sent. */
  Path: 16,
  /** Authority without userinfo: visible ASCII but '@'. */
  Authority: 32,
} as const
export type Charset = (typeof Charset)[keyof typeof Charset]

const TAB = 0x09
const SPACE = 0x20
const DELETE = 0x7f
const LATIN1_END = 0x100

const CLASSES: Uint8Array = buildClasses()

function buildClasses(): Uint8Array {
  const classes = new Uint8Array(LATIN1_END)
  for (let code = 0; code < LATIN1_END; code++) {
    const text = String.fromCharCode(code)
    const control = code < SPACE || code === DELETE
    const visible = code > SPACE && code < DELETE
    let sets = 0
    if (/[!#$%&'*+\-.^_`|~0-9a-z]/.test(text)) sets |= Charset.Name
    if (!control || code === TAB) sets |= Charset.Value
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(text)) sets |= Charset.Token
    if (/[0-9A-Za-z+\-.]/.test(text)) sets |= Charset.Scheme
    if (visible && text !== '#') sets |= Charset.Path
    if (visible && text !== '@') sets |= Charset.Authority
    classes[code] = sets
  }
  return classes
}

/** Whether `text` is not empty and all of its characters are in `set`. */
export function consistsOf(text: string, set: Charset): boolean {
  let common: number = set
  let all = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    all |= code
    common &= CLASSES[code & 0xff]!
  }
  return common !== 0 && all < LATIN1_END && text.length > 0
}

/** Whether the text is empty or all of it may stand in a field value; its ends are not looked at. */
export function isFieldValue(text: string): boolean {
  return text.length === 0 || consistsOf(text, Charset.Value)
}

/** Whether a field value starts or ends with a space or tab. */
export function hasOuterWhitespace(text: string): boolean {
  return (
    text.length > 0 && (isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(text.length - 1)))
  )
}

/** The value without the spaces and tabs around it. (`trim` would take more than these two.) */
export function withoutOuterWhitespace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}
