export * from './constants.ts'
export { Http2Error } from './errors.ts'
export type { FrameHandler } from './handler.ts'
