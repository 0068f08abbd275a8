// Wire vectors: the public ones of HPACK and of frames, and header blocks both ways between our HPACK
// and that of Go and of Python.
import { deepStrictEqual, ok } from 'node:assert/strict'
import { resolve } from 'node:path'
import { HpackDecoder, HpackEncoder } from '../../../lib/hpack/index.ts'
import { frameVectors } from '../../frame/vectors.ts'
import { STORY_ENCODERS, storyBlocks, storyLists } from '../../hpack/stories.ts'
import { decodeBlock, encodeBlock } from '../../hpack/support.ts'
import { goTool, goVersion } from '../peers/go.ts'
import { pythonTool, pythonVersion } from '../peers/python.ts'
import { type Command, runToEnd } from '../process/child.ts'
import type { Suite } from '../suite.ts'
import type { SuiteRun } from '../suite-run.ts'
import { type HeaderList, type HpackStep, hpackSteps } from './hpack-lists.ts'

const CONNECTIONS = 100
const LISTS_A_CONNECTION = 100
const LISTS = CONNECTIONS * LISTS_A_CONNECTION
const SEED = 7541
const PEER_MS = 2 * 60_000

/** A codec of others, which answers the lines that spec/peers/go/hpackpeer tells of. */
interface Codec {
  readonly name: string
  /** Whether it writes a sensitive field as a literal even where a table holds it. */
  readonly keepsMarks: boolean
  readonly command: (run: SuiteRun) => Promise<Command>
}

const CODECS: readonly Codec[] = [
  {
    name: 'Go',
    keepsMarks: true,
    command: async ({ progress }) => ({ file: await goTool('hpackpeer', progress), args: [] }),
  },
  {
    name: 'Python',
    keepsMarks: false,
    command: async ({ progress }) => ({
      file: await pythonTool(progress),
      args: [resolve('spec/peers/python/hpackpeer.py')],
    }),
  },
]

export const vectors: Suite = {
  name: 'vectors',
  summary: "public vectors of HPACK and frames; header blocks from and to Go's and Python's hpack",
  roles: ['codecs'],
  groups: () => [
    { name: 'HPACK blocks', cases: 4398 },
    { name: 'HPACK lists', cases: 1466 },
    { name: 'frames', cases: 34 },
    ...CODECS.flatMap(({ name }) => [
      { name: `${name} reads ours`, cases: LISTS },
      { name: `ours reads ${name}`, cases: LISTS },
    ]),
  ],
  peers: async () => [
    `x/net ${await goVersion('golang.org/x/net')}`,
    `Python hpack ${await pythonVersion('hpack')}`,
  ],
  async execute(run) {
    for (const encoder of STORY_ENCODERS) {
      for (const { name, check } of storyBlocks(encoder)) checkNow(run, 'HPACK blocks', name, check)
    }
    for (const { name, check } of storyLists()) checkNow(run, 'HPACK lists', name, check)
    for (const { name, check } of frameVectors()) checkNow(run, 'frames', name, check)
    const steps: HpackStep[][] = []
    for (let i = 0; i < CONNECTIONS; i++) steps.push(hpackSteps(SEED + i, LISTS_A_CONNECTION))
    for (const codec of CODECS) {
      await foreignReadsOurs(run, codec, steps)
      await oursReadsForeign(run, codec, steps)
    }
  },
}

function checkNow(run: SuiteRun, group: string, name: string, check: () => void): void {
  try {
    check()
    run.passed(group, name)
  } catch (error) {
    run.failed(group, name, error instanceof Error ? error.message : String(error))
  }
}

/** Our encoder's blocks, decoded by the other. */
async function foreignReadsOurs(
  run: SuiteRun,
  { name, command }: Codec,
  connections: readonly HpackStep[][],
): Promise<void> {
  const encoders = connections.map(() => new HpackEncoder())
  const exchange = connections.map((steps, i) =>
    steps.map((step) => {
      const encoder = encoders[i]!
      if ('fields' in step) {
        return `decode ${encodeBlock(encoder, step.fields, step.neverIndexed).toString('hex')}`
      }
      encoder.setPeerMaxTableBytes(step.tableBytes)
      return `size ${step.tableBytes}`
    }),
  )
  await forEachAnswer(await command(run), exchange, (answer, connection, i) => {
    const step = connections[connection]![i]!
    if (!('fields' in step)) return
    checkNow(run, `${name} reads ours`, `connection ${connection} step ${i}`, () => {
      const read = parseList(answer)
      deepStrictEqual(read.fields, step.fields)
      // Ours also protects what is secret by its name.
      ok(
        step.neverIndexed.every((at) => read.neverIndexed.includes(at)),
        'a mark is lost',
      )
    })
  })
}

/** The other's blocks, decoded by ours. */
async function oursReadsForeign(
  run: SuiteRun,
  { name, keepsMarks, command }: Codec,
  connections: readonly HpackStep[][],
): Promise<void> {
  const decoders = connections.map(() => new HpackDecoder())
  const exchange = connections.map((steps) =>
    steps.map((step) =>
      'fields' in step ? `encode ${listText(step)}` : `size ${step.tableBytes}`,
    ),
  )
  await forEachAnswer(await command(run), exchange, (answer, connection, i) => {
    const step = connections[connection]![i]!
    const decoder = decoders[connection]!
    if (!('fields' in step)) return decoder.setMaxTableBytes(step.tableBytes)
    checkNow(run, `ours reads ${name}`, `connection ${connection} step ${i}`, () => {
      ok(!answer.startsWith('error'), answer)
      const { fields, neverIndexed = [] } = decodeBlock(decoder, Buffer.from(answer, 'hex'))
      deepStrictEqual(fields, step.fields)
      if (keepsMarks) deepStrictEqual(neverIndexed, step.neverIndexed)
      else
        ok(
          neverIndexed.every((at) => step.neverIndexed.includes(at)),
          'a mark too many',
        )
    })
  })
}

/** Sends all lines, each connection after a `new`, and hands each answer to `take`. */
async function forEachAnswer(
  command: Command,
  connections: readonly (readonly string[])[],
  take: (answer: string, connection: number, step: number) => void,
): Promise<void> {
  const lines = connections.flatMap((steps) => ['new', ...steps])
  const { stdout, stderr } = await runToEnd(command, PEER_MS, `${lines.join('\n')}\n`)
  const answers = stdout.split('\n').values()
  for (const [connection, steps] of connections.entries()) {
    answers.next()
    for (const step of steps.keys()) {
      take(answers.next().value ?? `error no answer: ${stderr}`, connection, step)
    }
  }
}

function listText({ fields, neverIndexed }: HeaderList): string {
  const words: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const mark = neverIndexed.includes(at) ? '!' : ''
    words.push(`${mark}${hex(fields[at]!)}:${hex(fields[at + 1]!)}`)
  }
  return words.join(' ')
}

function parseList(text: string): HeaderList {
  ok(!text.startsWith('error'), text)
  const words = text.split(' ')
  return {
    fields: words.flatMap((word) => word.replace('!', '').split(':').map(octetsOf)),
    neverIndexed: words.flatMap((word, i) => (word.startsWith('!') ? [2 * i] : [])),
  }
}

function hex(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex')
}

function octetsOf(word: string): string {
  return Buffer.from(word, 'hex').toString('latin1')
}
