// The encoder's dynamic table, which can also be searched by name and value in constant time.
import { DynamicTable } from './dynamic-table.ts'
import { STATIC_LENGTH, STATIC_NAMES, staticIndexOf } from './static-table.ts'

/** What is known of one name. Kept while the dynamic table has the name, or if the static does. */
interface NameRecord {
  /** Lowest index in the static table, 0 when it is not there. */
  readonly staticIndex: number
  /** The name's newest dynamic entry, -1 when there is none. */
  newestId: number
  newestValue: string | undefined
  /** The newest entry was found again after its insertion. */
  newestUsed: boolean
  /** Ids of the name's older entries by value; values are unique. */
  older: Map<string, number> | undefined
}

export class EncoderTable extends DynamicTable {
  private readonly names: Map<string, NameRecord> = new Map()

  /** The field's index; else minus an index of its name; else 0. */
  public find(name: string, value: string): number {
    const record = this.names.get(name) ?? this.adoptStatic(name)
    if (record === undefined) return 0
    if (record.newestValue === value) {
      record.newestUsed = true
      return this.indexOf(record.newestId)
    }
    if (record.staticIndex > 0) {
      const index = staticIndexOf(record.staticIndex, name, value)
      if (index > 0) return index
    }
    const id = record.older?.get(value)
    return id === undefined ? -this.nameIndexOf(record) : this.indexOf(id)
  }

  /** An index of the name; 0 when neither table has it. */
  public findName(name: string): number {
    const record = this.names.get(name)
    return record === undefined ? (STATIC_NAMES.get(name) ?? 0) : this.nameIndexOf(record)
  }

  /** Whether the name has no entry yet, or its newest one proved useful. */
  public earnsEntry(name: string): boolean {
    const record = this.names.get(name)
    return record === undefined || record.newestId < 0 || record.newestUsed
  }

  /** Inserts a field that {@link EncoderTable.find} did not find. */
  public override insert(name: string, value: string, bytes: number): void {
    super.insert(name, value, bytes)
    if (bytes > this.maxBytes) return
    const record = this.names.get(name)
    const id = this.inserted - 1
    if (record === undefined) {
      this.names.set(name, newRecord(0, id, value))
      return
    }
    if (record.newestValue !== undefined) {
      record.older ??= new Map()
      record.older.set(record.newestValue, record.newestId)
    }
    record.newestId = id
    record.newestValue = value
    record.newestUsed = false
  }

  protected override onEvicted(id: number, name: string, value: string): void {
    const record = this.names.get(name)!
    if (record.newestId !== id) {
      record.older!.delete(value)
    } else if (record.staticIndex === 0) {
      this.names.delete(name)
    } else {
      record.newestId = -1
      record.newestValue = undefined
      record.older = undefined
    }
  }

  private adoptStatic(name: string): NameRecord | undefined {
    const index = STATIC_NAMES.get(name)
    if (index === undefined) return undefined
    const record = newRecord(index, -1, undefined)
    this.names.set(name, record)
    return record
  }

  private nameIndexOf(record: NameRecord): number {
    return record.staticIndex > 0 ? record.staticIndex : this.indexOf(record.newestId)
  }

  private indexOf(id: number): number {
    return STATIC_LENGTH + this.inserted - id
  }
}

function newRecord(
  staticIndex: number,
  newestId: number,
  newestValue: string | undefined,
): NameRecord {
  return { staticIndex, newestId, newestValue, newestUsed: false, older: undefined }
}
