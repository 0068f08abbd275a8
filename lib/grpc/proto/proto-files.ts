// Finds .proto files and what they import, and parses them into one root of protobufjs.
import { access, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type protobuf from 'protobufjs'
import { noteOneofNames } from './oneof-names.ts'
import { protobufjs } from './protobufjs.ts'

/** A .proto file, or what it refers to, is wrong or missing. */
export class ProtoError extends Error {
  /** The file, as it was named or imported. */
  public readonly file: string | undefined
  public readonly line: number | undefined

  public constructor(message: string, file?: string, line?: number, cause?: unknown) {
    const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`}: `
    super(place + message, cause === undefined ? undefined : { cause })
    this.name = 'ProtoError'
    this.file = file
    this.line = line
  }
}

/** The text of a .proto file that is not on disk. */
export interface ProtoText {
  readonly text: string
  /** What errors and reflection call it. Default `inline.proto`. */
  readonly name?: string
}

/** The parser reads the file's name from a property of its own, which its types leave out. */
type NamedParse = typeof protobuf.parse & { filename: string | null }

/** Loads files into one root. */
export class ProtoFiles {
  public readonly root: protobuf.Root
  private readonly protobuf: typeof protobuf = protobufjs()
  private readonly dirs: readonly string[]
  private readonly keepCase: boolean
  private readonly seen = new Set<string>()

  /** `keepCase`: fields have their declared names, not their camel case. */
  public constructor(includeDirs: readonly string[], keepCase: boolean) {
    this.dirs = includeDirs.map((dir) => path.resolve(dir))
    this.keepCase = keepCase
    this.root = new this.protobuf.Root()
  }

  /** Loads a file given by its path, and its imports. */
  public async addPath(file: string): Promise<void> {
    const found = path.isAbsolute(file) ? file : await this.locate(file, process.cwd())
    if (found === undefined) throw new ProtoError(`not found in ${this.where()}`, file)
    const base = this.dirs.find((dir) => found.startsWith(dir + path.sep))
    // Without an include directory around it, a file is what its own directory knows it by.
    const name = base === undefined ? path.basename(found) : path.relative(base, found)
    await this.addFile(name.split(path.sep).join('/'), found)
  }

  /** Loads text as if it were a file in the working directory, and its imports. */
  public async addText(source: ProtoText): Promise<void> {
    const name = source.name ?? 'inline.proto'
    this.seen.add(name)
    await this.addSource(name, source.text, process.cwd())
  }

  /** Connects the types of all files. Throws ProtoError for a reference to what is not there. */
  public resolve(): void {
    resolveRoot(this.root)
  }

  private async addFile(name: string, file: string): Promise<void> {
    if (this.seen.has(name)) return
    this.seen.add(name)
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      throw new ProtoError((error as Error).message, name, undefined, error)
    }
    await this.addSource(name, text, path.dirname(file))
  }

  private async addSource(name: string, text: string, dir: string): Promise<void> {
    for (const imported of this.parse(name, text)) await this.addImport(imported, name, dir)
  }

  /** Parses text into the root and returns what it imports. */
  private parse(name: string, text: string): string[] {
    const parse = this.protobuf.parse as NamedParse
    try {
      parse.filename = name
      const { imports = [], weakImports = [] } = parse(text, this.root, {
        keepCase: this.keepCase,
      })
      noteOneofNames(text, this.root)
      return [...imports, ...weakImports]
    } catch (error) {
      const { message } = error as Error
      const line = /line (\d+)\)/.exec(message)?.[1]
      const reason = message.replace(/ \((?:[^()]*, )?line \d+\)/, '')
      throw new ProtoError(reason, name, line === undefined ? undefined : Number(line), error)
    } finally {
      parse.filename = null
    }
  }

  private async addImport(name: string, importer: string, dir: string): Promise<void> {
    if (this.seen.has(name)) return
    const { common } = this.protobuf
    if (Object.hasOwn(common, name)) {
      this.seen.add(name)
      this.addBundled(name, (common as unknown as Record<string, protobuf.INamespace>)[name]!)
      return
    }
    const file = (await this.locate(name, dir)) ?? (await bundledFile(name))
    if (file === undefined) {
      throw new ProtoError(`import "${name}" not found in ${this.where(dir)}`, importer)
    }
    await this.addFile(name, file)
  }

  /** The well-known types that protobufjs has parsed already. */
  private addBundled(name: string, json: protobuf.INamespace): void {
    const scope = this.root.define('google.protobuf')
    const before = new Set(scope.nestedArray)
    const copy = structuredClone(json)
    const nameOf = this.keepCase ? (name: string) => name : this.protobuf.util.camelCase
    nameFields(copy as Bundled, nameOf)
    this.root.addJSON(copy.nested ?? {})
    for (const object of scope.nestedArray) if (!before.has(object)) object.filename = name
  }

  /** The file of that name below an include directory, else below `dir`. */
  private async locate(name: string, dir: string): Promise<string | undefined> {
    for (const each of [...this.dirs, dir]) {
      const file = path.resolve(each, name)
      if (await exists(file)) return file
    }
    return undefined
  }

  private where(dir: string = process.cwd()): string {
    return [...this.dirs, dir].join(', ')
  }
}

/** A package or type as protobufjs bundles it; declared names are not in its types. */
interface Bundled {
  readonly nested?: Record<string, Bundled>
  readonly oneofs?: Record<string, { oneof: string[] }>
  fields?: Record<string, { protoName?: string }>
}

/** Gives fields, only some of which are in camel case, what `nameOf` makes of their declared names. */
function nameFields(scope: Bundled, nameOf: (declared: string) => string): void {
  const { nested = {}, oneofs = {}, fields } = scope
  for (const inner of Object.values(nested)) nameFields(inner, nameOf)
  if (fields === undefined) return
  const declared = (name: string): string => fields[name]?.protoName ?? name
  const named = (name: string): string => nameOf(declared(name))
  for (const oneof of Object.values(oneofs)) oneof.oneof = oneof.oneof.map(named)
  scope.fields = Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      named(name),
      { ...field, protoName: declared(name) },
    ]),
  )
}

/** As {@link ProtoFiles.resolve}, for any root. */
export function resolveRoot(root: protobuf.Root): void {
  try {
    root.resolveAll()
  } catch (error) {
    const { message } = error as Error
    // protobufjs names the object that refers: find the file it came from.
    const referrer = / in (?:\w+ )?(\.[\w.]+)/.exec(message)?.[1]
    const file = referrer === undefined ? undefined : root.lookup(referrer)?.filename
    throw new ProtoError(message, file ?? undefined, undefined, error)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch {
    return false
  }
}

/** google/protobuf/descriptor.proto and its like, which protobufjs has as files. */
async function bundledFile(name: string): Promise<string | undefined> {
  if (!/^google\/protobuf\/[\w/]+\.proto$/.test(name)) return undefined
  const home = path.dirname(createRequire(import.meta.url).resolve('protobufjs/package.json'))
  const file = path.join(home, name)
  return (await exists(file)) ? file : undefined
}
