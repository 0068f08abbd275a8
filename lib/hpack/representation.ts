// How each representation begins, RFC 7541 section 6: the highest bits of its first octet, and the
// mask of the integer that follows them in the same octet.

/** 1xxxxxxx: a field of the tables (6.1). */
export const INDEXED = 0x80
export const INDEXED_MASK = 0x7f

/** 01xxxxxx: a literal that is inserted into the dynamic table (6.2.1). */
export const INCREMENTAL = 0x40
export const INCREMENTAL_MASK = 0x3f

/** 001xxxxx: a size update of the dynamic table (6.3). */
export const SIZE_UPDATE = 0x20
export const SIZE_UPDATE_MASK = 0x1f

/** 0001xxxx: a literal that nobody may ever insert into a table (6.2.3). */
export const NEVER_INDEXED = 0x10

/** 0000xxxx: a literal that is not inserted (6.2.2). */
export const WITHOUT_INDEXING = 0x00

/** Of both literals that are not inserted. */
export const LITERAL_MASK = 0x0f

/** SETTINGS_HEADER_TABLE_SIZE before any SETTINGS frame (RFC 9113 6.5.2). */
export const INITIAL_TABLE_BYTES = 4096
