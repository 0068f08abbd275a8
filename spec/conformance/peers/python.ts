// Peers written in Python, at the versions that spec/peers/python/requirements.txt pins.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

const FOLDER = resolve('spec/peers/python')
const REQUIREMENTS = join(FOLDER, 'requirements.txt')
const INSTALL = 'apt-get install --no-install-recommends python3 python3-venv'
const INSTALL_MS = 10 * 60_000

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

/** The version that requirements.txt pins for a package. */
export function pythonVersion(name: string): string {
  const pinned = new RegExp(`^${name}==(.+)$`, 'm').exec(readFileSync(REQUIREMENTS, 'utf8'))
  if (pinned === null) throw new Error(`${REQUIREMENTS} pins no ${name}`)
  return pinned[1]!
}

function pythonIn(venv: string): string {
  return join(venv, 'bin', 'python')
}
