// The layers, enforced: which room may import which, and which module of Node may be used where.
// Reads the import statements of lib/; types count as much as values.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import t from 'tap'

/** What each room may import besides itself. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  frame: ['base'],
  hpack: ['base'],
  naming: ['base'],
  transport: ['base', 'frame', 'hpack'],
  balancer: ['base', 'naming'],
  grpc: ['base', 'naming', 'transport', 'balancer'],
  testing: ['base', 'frame', 'hpack', 'naming', 'transport', 'balancer', 'grpc'],
}
/** What a plugin, a folder of lib/plugins, may import besides itself. Nothing imports plugins. */
const PLUGIN: readonly string[] = ['base', 'naming', 'grpc']
/** Rooms above all others. */
const UPPER_ROOMS = ['compat', 'codegen']

/** Within transport: what a folder may import of its siblings; '.' is the room's own files. */
const TRANSPORT: Readonly<Record<string, readonly string[]>> = {
  io: ['./errors.ts'],
  stream: ['./errors.ts', './options.ts'],
  connection: ['stream', 'io/wire.ts', './errors.ts', './options.ts'],
  exchange: [
    'stream',
    'io/wire.ts',
    './errors.ts',
    './client-transport.ts',
    './server-transport.ts',
  ],
}

/** Modules of Node that stay in one place: a prefix of the files that may use them. */
const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['transport/io/'],
  'node:tls': ['transport/io/'],
  'node:dns': ['naming/dns-lookup.ts'],
  'node:dns/promises': ['naming/dns-lookup.ts'],
  'node:zlib': ['grpc/protocol/compression.ts'],
  'node:http2': [],
  'node:http': [],
  'node:https': [],
  'node:timers': [],
  'node:timers/promises': [],
}

/** Words that stay in one place, as they stand in code. */
const WORDS: readonly (readonly [name: string, pattern: RegExp, places: readonly string[]])[] = [
  ['setImmediate', /\bsetImmediate\b/, ['transport/io/']],
  ['nextTick', /\bnextTick\b/, ['transport/io/']],
  ['timers', /\b(setTimeout|setInterval|clearTimeout|clearInterval)\b/, ['base/clock.ts']],
  ['clocks', /\b(Date\.now|performance\.now|process\.hrtime|new Date\(\))/, ['base/clock.ts']],
  ['Math.random', /\bMath\.random\b/, ['base/random.ts']],
]

const lib = join(process.cwd(), 'lib')
const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts'))
  .sort()

// Specifiers stand in single quotes here, as the formatter has it; texts of messages do not.
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^'\s]+)'/g

/** The file without its comments; texts stay. */
function codeOf(file: string): string {
  const text = readFileSync(join(lib, file), 'utf8')
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<![:'"`\\])\/\/.*$/gm, '')
}

interface Import {
  readonly from: string
  /** A path within lib for a file of this library, else the name of a module. */
  readonly to: string
  readonly isOurs: boolean
}

function importsOf(file: string): Import[] {
  return [...codeOf(file).matchAll(IMPORT)].map(([, specifier]) => {
    const isOurs = (specifier as string).startsWith('.')
    const to = isOurs
      ? relative(lib, join(lib, dirname(file), specifier as string))
          .split(sep)
          .join('/')
      : (specifier as string)
    return { from: file, to, isOurs }
  })
}

const imports = files.flatMap(importsOf)
const ours = imports.filter(({ isOurs }) => isOurs)
/** A plugin is a room of its own. */
const roomOf = (file: string): string =>
  (/^plugins\/[^/]+/.exec(file)?.[0] ?? file.split('/')[0]) as string
const isPlugin = (room: string): boolean => room.startsWith('plugins/')
const mayImport = (room: string): readonly string[] =>
  isPlugin(room) ? PLUGIN : (ROOMS[room] ?? [])
const show = ({ from, to }: Import): string => `${from} -> ${to}`
const isAllowed = (file: string, places: readonly string[]): boolean =>
  places.some((place) => file.startsWith(place))

t.test('this spec sees what it should see', (t) => {
  t.ok(files.length > 100)
  t.ok(imports.length > 300)
  t.ok(ours.some(({ from, to }) => from === 'transport/index.ts' && to === 'frame/index.ts'))
  t.ok(imports.some(({ to }) => to === 'node:net'))
  t.ok(files.some((file) => roomOf(file) === 'plugins/etcd'))
  const known = [...Object.keys(ROOMS), ...UPPER_ROOMS]
  t.strictSame(
    [...new Set(files.map(roomOf))].filter((room) => !known.includes(room) && !isPlugin(room)),
    [],
  )
  t.end()
})

t.test('every import names a file of ours with its suffix', (t) => {
  t.strictSame(ours.filter(({ to }) => !files.includes(to)).map(show), [])
  t.end()
})

t.test('the arrows between rooms point downwards', (t) => {
  const wrong = ours.filter(({ from, to }) => {
    const [room, other] = [roomOf(from), roomOf(to)]
    const isUpper = UPPER_ROOMS.includes(room) && !isPlugin(other)
    return room !== other && !isUpper && !mayImport(room).includes(other)
  })
  t.strictSame(wrong.map(show), [])
  t.end()
})

t.test('another room is entered by its index; base has none', (t) => {
  const wrong = ours.filter(({ from, to }) => {
    const room = roomOf(to)
    return room !== roomOf(from) && room !== 'base' && to !== `${room}/index.ts`
  })
  t.strictSame(wrong.map(show), [])
  t.end()
})

t.test('gRPC knows neither frames nor HPACK', (t) => {
  const wrong = ours.filter(({ from, to }) => {
    return roomOf(from) === 'grpc' && ['frame', 'hpack'].includes(roomOf(to))
  })
  t.strictSame(wrong.map(show), [])
  t.end()
})

t.test('within transport roles stand on the connection, it on streams, and io on nothing', (t) => {
  const wrong = ours.filter(({ from, to }) => {
    if (roomOf(from) !== 'transport' || roomOf(to) !== 'transport') return false
    const folder = folderOf(from)
    if (folder === '.' || folder === folderOf(to)) return false
    const target = to.slice('transport/'.length)
    const inRoom = target.includes('/') ? target : `./${target}`
    const allowed = TRANSPORT[folder] ?? []
    return !allowed.some((entry) => inRoom === entry || inRoom.startsWith(`${entry}/`))
  })
  t.strictSame(wrong.map(show), [])
  t.end()

  function folderOf(file: string): string {
    return posix.dirname(file.slice('transport/'.length))
  }
})

t.test('modules of Node stay in their places', (t) => {
  for (const [module, places] of Object.entries(NODE_MODULES)) {
    const wrong = imports.filter(({ from, to }) => to === module && !isAllowed(from, places))
    t.strictSame(wrong.map(show), [], module)
  }
  const bare = imports.filter(({ to, isOurs }) => {
    return (
      !isOurs && !to.startsWith('node:') && to !== 'protobufjs' && !to.startsWith('protobufjs/')
    )
  })
  t.strictSame(bare.map(show), [], 'one package besides Node')
  t.end()
})

t.test('timers, clocks, scheduling and chance stay in their places', (t) => {
  for (const [name, pattern, places] of WORDS) {
    const wrong = files.filter((file) => pattern.test(codeOf(file)) && !isAllowed(file, places))
    t.strictSame(wrong, [], name)
  }
  t.end()
})

t.test('lib has no cycles between files, types apart', (t) => {
  const next = new Map<string, string[]>()
  for (const file of files) {
    const code = codeOf(file).replaceAll(/\b(?:import|export)\s+type\b[^'"]*['"][^'"]+['"]/g, '')
    const targets = [...code.matchAll(IMPORT)]
      .map(([, specifier]) => specifier as string)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => posix.join(posix.dirname(file), specifier))
    next.set(file, targets)
  }
  const done = new Set<string>()
  const cycles: string[] = []
  for (const file of files) visit(file, [])
  t.strictSame(cycles, [])
  t.end()

  function visit(file: string, path: readonly string[]): void {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (done.has(file) || path.includes(file)) return
    for (const target of next.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
})
