// What keeps the event loop busy, to prove that nothing was left behind.

const OURS = /^(TCP|Pipe|TLS|Timeout|GetAddrInfo)|(Connect|Shutdown|Write)(Req)?Wrap$/

/** How many open sockets, servers, requests and timers this process has, by kind. */
export function openHandles(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    if (OURS.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** Resolves when there are no more handles than `before`: closing takes a turn or two. */
export async function handlesBackTo(before: ReadonlyMap<string, number>): Promise<void> {
  const isLeft = ([name, count]: [string, number]): boolean => count > (before.get(name) ?? 0)
  while ([...openHandles()].some(isLeft)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}
