// Peers written in Python, at the versions that spec/peers/python/requirements.txt pins.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Command, outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

const FOLDER = resolve('spec/peers/python')
const REQUIREMENTS = join(FOLDER, 'requirements.txt')
const PROTOS = resolve('spec/interop-programs/protos/grpc/testing')
const INSTALL = 'apt-get install --no-install-recommends python3 python3-venv'
const INSTALL_MS = 10 * 60_000
const COMPILE_MS = 60_000

/** The path of a Python that has the pinned packages, made when there is none. */
export async function pythonTool(progress: (line: string) => void): Promise<string> {
  const python = requireOnPath('python3', INSTALL)
  const folder = await built('python/venv', [REQUIREMENTS], async (made) => {
    progress('installs Python packages (python3 -m venv, pip install)')
    await outputOf({ file: python, args: ['-m', 'venv', made] }, INSTALL_MS)
    const args = ['-m', 'pip', 'install', '-q', '--no-deps', '-r', REQUIREMENTS]
    await outputOf({ file: pythonIn(made), args }, INSTALL_MS)
  })
  return pythonIn(folder)
}

/** A program of spec/peers/python that finds the messages of grpc.testing in the package `interop`. */
export async function pythonProgram(
  name: string,
  progress: (line: string) => void,
): Promise<Command> {
  const python = await pythonTool(progress)
  const modules = await built('python/interop', [REQUIREMENTS, PROTOS], (made) =>
    compileProtos(python, made),
  )
  return { file: python, args: [join(FOLDER, name)], env: { PYTHONPATH: modules } }
}

/** The version that requirements.txt pins for a package. */
export function pythonVersion(name: string): string {
  const pinned = new RegExp(`^${name}==(.+)$`, 'm').exec(readFileSync(REQUIREMENTS, 'utf8'))
  if (pinned === null) throw new Error(`${REQUIREMENTS} pins no ${name}`)
  return pinned[1]!
}

function pythonIn(venv: string): string {
  return join(venv, 'bin', 'python')
}

/** Modules in a folder `grpc` would hide the package of that name, so the files are moved first. */
async function compileProtos(python: string, made: string): Promise<void> {
  const protos = join(made, 'interop')
  mkdirSync(protos)
  for (const file of readdirSync(PROTOS)) {
    const text = readFileSync(join(PROTOS, file), 'utf8')
    writeFileSync(join(protos, file), text.replaceAll('import "grpc/testing/', 'import "interop/'))
  }
  const files = readdirSync(protos).map((file) => join('interop', file))
  const out = ['-I.', '--python_out=.', '--grpc_python_out=.']
  const args = ['-m', 'grpc_tools.protoc', ...out, ...files]
  await outputOf({ file: python, args, cwd: made }, COMPILE_MS)
}
