// What a suite cannot run without, when the machine lacks it.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A toolchain or program that is not on this machine, and the command that installs it. */
export class ToolMissing extends Error {
  public override readonly name: string = 'ToolMissing'

  public constructor(tool: string, install: string) {
    super(`${tool} is missing; install it with: ${install}`)
  }
}

const ALSO = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/go/bin']

/** Where `tool` is; undefined when it is nowhere on the PATH. */
export function findOnPath(tool: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...ALSO]
  return folders.map((folder) => join(folder, tool)).find(isExecutable)
}

/** Where `tool` is, or throws {@link ToolMissing}. */
export function requireOnPath(tool: string, install: string): string {
  const path = findOnPath(tool)
  if (path === undefined) throw new ToolMissing(tool, install)
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
