// Peers written in TypeScript on npm packages, in a package of their own, spec/peers/js: they share
// nothing with this project but the .proto files and the compiler.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execPath } from 'node:process'
import { loadProto, toFileDescriptorSet } from '../../../lib/grpc/index.ts'
import { type Command, outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

const PACKAGE = resolve('spec/peers/js')
const PROTOS = resolve('spec/interop-programs/protos')
const INSTALL_MS = 5 * 60_000
const COMPILE_MS = 2 * 60_000

/** A program of the package, installed and compiled when it is not. */
export async function jsProgram(name: string, progress: (line: string) => void): Promise<Command> {
  const folder = await built('js', [PACKAGE, PROTOS], async (made) => {
    progress('installs npm packages (npm ci in a copy of spec/peers/js)')
    cpSync(PACKAGE, made, { recursive: true })
    const npm = requireOnPath('npm', 'apt-get install npm')
    await outputOf({ file: npm, args: ['ci', '--ignore-scripts'], cwd: made }, INSTALL_MS)
    const tsc = resolve('node_modules/typescript/bin/tsc')
    await outputOf({ file: execPath, args: [tsc, '-p', made] }, COMPILE_MS)
    writeFileSync(join(made, 'descriptors.bin'), await descriptors())
  })
  return { file: execPath, args: [join(folder, `${name}.js`)] }
}

/** The version that the package pins for one that it depends on. */
export function jsVersion(dependency: string): string {
  const text = readFileSync(join(PACKAGE, 'package.json'), 'utf8')
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> }
  return dependencies[dependency] ?? 'unknown'
}

async function descriptors(): Promise<Buffer> {
  const { root } = await loadProto('grpc/testing/test.proto', { includeDirs: [PROTOS] })
  return toFileDescriptorSet(root)
}
