// Peers written in Rust, built from the package of spec/peers/rust at the versions of its lock file.
import { copyFileSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Command, outputOf } from '../process/child.ts'
import { built, CACHE } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

const PACKAGE = resolve('spec/peers/rust')
const PROTOS = resolve('spec/interop-programs/protos')
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src'].map((name) => join(PACKAGE, name))
const PROGRAMS = ['client', 'server'] as const
const BUILD_MS = 20 * 60_000

/** A program of the package, built when it is not. */
export async function rustProgram(
  name: (typeof PROGRAMS)[number],
  progress: (line: string) => void,
): Promise<Command> {
  const cargo = requireOnPath('cargo', 'curl https://sh.rustup.rs -sSf | sh')
  const folder = await built('rust', [...SOURCES, PROTOS], async (made) => {
    progress('builds the programs of spec/peers/rust (cargo build); minutes the first time')
    // Not in the folder that is made anew: what was built of other packages stays good.
    const target = join(CACHE, 'rust-target')
    const args = ['build', '--locked', '--quiet', '--target-dir', target]
    await outputOf({ file: cargo, args, cwd: PACKAGE }, BUILD_MS)
    for (const program of PROGRAMS) {
      copyFileSync(join(target, 'debug', program), join(made, program))
    }
  })
  return { file: join(folder, name), args: [] }
}

/** The version that Cargo.lock pins for a package. */
export function rustVersion(name: string): string {
  const lock = readFileSync(join(PACKAGE, 'Cargo.lock'), 'utf8')
  const pinned = new RegExp(`^name = "${name}"\nversion = "(.+)"$`, 'm').exec(lock)
  return pinned?.[1] ?? 'unknown'
}
