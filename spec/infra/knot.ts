// Knot DNS on 127.0.0.1, authoritative for one zone that changes while it serves. Data in a folder that
// is deleted with it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { debianTool } from '../conformance/peers/debian.ts'
import { Child, type Command, outputOf } from '../conformance/process/child.ts'
import { freePort } from '../conformance/process/ports.ts'

/** The zone that is served. */
export const ZONE = 'example'
/** A zone whose data is missing: every question ends with SERVFAIL. */
export const BROKEN_ZONE = 'broken'

const START_MS = 20_000
const CONTROL_MS = 10_000
const TTL_SECONDS = 60
/** The longest string of a TXT record. RFC 1035 section 3.3. */
const MAX_STRING_CHARS = 255

type RecordType = 'A' | 'AAAA' | 'SRV' | 'TXT'

/** See above. */
export class Knot {
  /** `ip:port`, the authority of a target. */
  public readonly server: string
  private readonly folder: string
  private readonly daemon: Command
  private readonly control: Command
  private child: Child | undefined

  private constructor(program: Command, folder: string, port: number) {
    const socket = join(folder, 'control')
    const config = join(folder, 'knot.conf')
    const zoneFile = join(folder, 'zone')
    writeFileSync(zoneFile, `${ZONE}. 60 SOA ns.${ZONE}. admin.${ZONE}. 1 60 60 60 60\n`)
    writeFileSync(config, configText(folder, port, socket, zoneFile))
    this.folder = folder
    this.server = `127.0.0.1:${port}`
    this.daemon = { ...program, args: ['-c', config] }
    this.control = { ...program, file: join(dirname(program.file), 'knotc'), args: ['-s', socket] }
  }

  /** Fetches the server when it is first needed, and starts it. */
  public static async start(): Promise<Knot> {
    const program = await debianTool('knotd', (line) => process.stderr.write(`${line}\n`))
    const folder = mkdtempSync(join(tmpdir(), 'knot-'))
    const knot = new Knot(program, folder, await freePort())
    await knot.resume()
    return knot
  }

  /** Starts again after {@link Knot.pause}, on the same port, with the zone as it was at first. */
  public async resume(): Promise<void> {
    const child = new Child(this.daemon)
    this.child = child
    await child.line(/control, binding to/, START_MS)
    await outputOf({ ...this.control, args: [...this.control.args, 'status'] }, CONTROL_MS)
  }

  /** Stops the server; questions are answered by nobody. */
  public async pause(): Promise<void> {
    await this.child?.stop()
  }

  public async stop(): Promise<void> {
    await this.pause()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** All records of a name and a type, in place of those there are; in one step. */
  public async replace(name: string, type: RecordType, ...data: string[]): Promise<void> {
    await this.change(async () => {
      // Which fails when there are none.
      await this.ask('zone-unset', ZONE, name, type).catch(() => {})
      for (const value of data) await this.set(name, type, value)
    })
  }

  /** One record more. */
  public add(name: string, type: RecordType, data: string): Promise<void> {
    return this.change(() => this.set(name, type, data))
  }

  /** One record less. */
  public remove(name: string, type: RecordType, data: string): Promise<void> {
    return this.change(() => this.ask('zone-unset', ZONE, name, type, data))
  }

  /** In one step. One at a time: the zone has one transaction. */
  private async change(make: () => Promise<void>): Promise<void> {
    await this.ask('zone-begin', ZONE)
    await make()
    await this.ask('zone-commit', ZONE)
  }

  private set(name: string, type: RecordType, data: string): Promise<void> {
    return this.ask('zone-set', ZONE, name, `${TTL_SECONDS}`, type, data)
  }

  private async ask(...words: string[]): Promise<void> {
    await outputOf({ ...this.control, args: [...this.control.args, ...words] }, CONTROL_MS)
  }
}

/** A text as data of a TXT record: strings of no more than 255 characters. */
export function txtData(text: string): string {
  const strings = text.match(new RegExp(`.{1,${MAX_STRING_CHARS}}`, 'gs')) ?? ['']
  return strings.map((part) => `"${part.replaceAll(/["\\]/g, '\\$&')}"`).join(' ')
}

function configText(folder: string, port: number, socket: string, zoneFile: string): string {
  return `
server:
    rundir: "${folder}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}"
log:
  - target: stderr
    any: info
control:
    listen: "${socket}"
template:
  - id: default
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ${ZONE}
    file: "${zoneFile}"
  - domain: ${BROKEN_ZONE}
    file: "${join(folder, 'missing')}"
`
}
