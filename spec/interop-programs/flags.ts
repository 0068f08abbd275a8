// Command-line flags as Go's flag package takes them, so that scripts for grpc-go's programs work:
// `-name=v`, `--name=v`, `-name v`; a flag that is true or false takes its value by `=` only.

/** The flags of a program by name; the kind of a flag is that of its default. */
export type FlagTable = Readonly<Record<string, readonly [value: FlagValue, help: string]>>
type FlagValue = string | number | boolean

/** The values of a table's flags. */
export type Flags<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name][0] extends number
    ? number
    : Table[Name][0] extends boolean
      ? boolean
      : string
}

/** What the user wrote is no flag of the program, or no value of it. */
export class FlagError extends Error {
  public constructor(message: string) {
    super(message)
    this.name = 'FlagError'
  }
}

/** The flags in `args`, and the defaults of those that are not there. Throws FlagError. */
export function parseFlags<Table extends FlagTable>(
  table: Table,
  args: readonly string[],
): Flags<Table> {
  const values = new Map(Object.entries(table).map(([name, [value]]) => [name, value]))
  const left = [...args]
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const parts = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg)
    if (parts === null) throw new FlagError(`got the argument ${arg}, want flags only`)
    const [, name = '', text] = parts
    const known = values.get(name)
    if (known === undefined) throw new FlagError(`flag provided but not defined: -${name}`)
    const given = text ?? (typeof known === 'boolean' ? 'true' : left.shift())
    if (given === undefined) throw new FlagError(`flag needs an argument: -${name}`)
    values.set(name, parseValue(name, given, known))
  }
  return Object.fromEntries(values) as Flags<Table>
}

/** A line for each flag, as `--help` shows them. */
export function describeFlags(table: FlagTable): string {
  const width = Math.max(...Object.keys(table).map((name) => name.length))
  return Object.entries(table)
    .map(([name, [value, help]]) => `  --${name.padEnd(width)}  ${help}${shown(value)}\n`)
    .join('')
}

function shown(value: FlagValue): string {
  return value === '' || value === false ? '' : ` (default ${value})`
}

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false]),
])

function parseValue(name: string, text: string, like: FlagValue): FlagValue {
  if (typeof like === 'string') return text
  if (typeof like === 'boolean') {
    if (Object.hasOwn(BOOLEANS, text)) return BOOLEANS[text] as boolean
    throw new FlagError(`invalid value "${text}" for -${name}, want true or false`)
  }
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  throw new FlagError(`invalid value "${text}" for -${name}, want a whole number`)
}
