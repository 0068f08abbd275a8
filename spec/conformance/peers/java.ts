// grpc-java's interop programs, fetched with all that they need at the version that spec/peers/java pins.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Command, outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

const POM = resolve('spec/peers/java/pom.xml')
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
const FETCH_MS = 10 * 60_000
/** Programs that live for a second: little of what they do is worth compiling well. */
const SHORT_LIVED = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** The two programs. */
export type JavaProgram = 'TestServiceServer' | 'TestServiceClient'

/** How one of them is started, without its flags. Both take `--name=value` only. */
export async function javaProgram(
  name: JavaProgram,
  progress: (line: string) => void,
): Promise<Command> {
  const java = requireOnPath(
    'java',
    'apt-get install --no-install-recommends openjdk-17-jre-headless',
  )
  const jars = await built('java', [POM], (folder) => fetchInto(folder, progress))
  const classPath = ['-cp', join(jars, '*')]
  const main = `io.grpc.testing.integration.${name}`
  return { file: java, args: [...SHORT_LIVED, ...classPath, main] }
}

/** The version that the pom pins. */
export function javaVersion(): string {
  return /<artifactId>grpc-interop-testing<\/artifactId>\s*<version>(.*?)<\/version>/.exec(
    readFileSync(POM, 'utf8'),
  )![1]!
}

async function fetchInto(folder: string, progress: (line: string) => void): Promise<void> {
  const maven = requireOnPath('mvn', 'apt-get install --no-install-recommends maven')
  progress(`fetches grpc-java ${javaVersion()} (mvn dependency:copy-dependencies)`)
  const options = ['-DincludeScope=runtime', `-DoutputDirectory=${folder}`]
  await outputOf({ file: maven, args: ['-q', '-B', '-f', POM, COPY, ...options] }, FETCH_MS)
}
