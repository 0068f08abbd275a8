export { FIELD_OVERHEAD_BYTES, type HeaderBlock, listBytes } from './header-block.ts'
