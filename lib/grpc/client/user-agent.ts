// What clients call themselves. Source: grpc/doc/PROTOCOL-HTTP2.md "User Agents".

/** Kept equal to package.json by a spec. */
export const VERSION = '0.1.0'

/** The user-agent field, with the application's own name first. */
export function userAgent(application: string | undefined): string {
  const own = `grpc-node-framewright/${VERSION}`
  return application === undefined ? own : `${application} ${own}`
}
