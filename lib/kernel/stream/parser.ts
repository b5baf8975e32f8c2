// SPDX-License-Identifier: Apache-2.0

/**
 * Follows the bytes of a device's state and knows how its driver frames them. It sees headers only: whether what they
 * frame is sound, nobody but the device can tell.
 *
 * It cannot see either that images are missing behind the last one. A stream of mlx5 or virtio that was cut between two
 * images, or between two chunks of one, ends as a whole one does; so does one of hisi_acc behind the bytes of pre-copy.
 * Whoever has both ends of a stream compares what they count, and the end of the source's read.
 */
export interface StreamParser {
  /** The next bytes of the stream, in any pieces. None of them is kept; what they cost is their headers, not their length. */
  push(bytes: Uint8Array): void
  /**
   * Why the stream cannot be a whole state if it ended here; undefined where nothing speaks against that. A clause that
   * names no device, such as `the stream ends 3 bytes into record 1, which has 4096`.
   */
  incomplete(): string | undefined
  /** How many were pushed. */
  readonly bytes: number
  /** Records that are there whole, header and payload: those of mlx5 and virtio, packets of xe. 0 for a driver that has none. */
  readonly records: number
  /** Of those, images: FW_DATA of mlx5, of which chunk mode makes several for one state, and DEVICE_DATA of virtio. */
  readonly images: number
  /** Payload of the last whole image. 0 while there is none. */
  readonly lastImageBytes: number
  /**
   * How many of the stream's first bytes are what a source gives out on entering PRE_COPY, as soon as a header tells:
   * the first image and all before it, the head of a struct, the setup of qat. Where there was no pre-copy, or mlx5 gave
   * it up after its first SAVE failed, that first image is of the final state. Undefined while unknown, and for drivers
   * without PRE_COPY.
   */
  readonly initialEnd: number | undefined
  /**
   * Where the image lies whose header came last, header included, in bytes from the beginning: mlx5 and virtio say with it
   * how much is to come. Undefined while there is none, and for other drivers.
   */
  readonly begunImage: { readonly from: number; readonly end: number } | undefined
  /** Bytes of memory that mlx5 at the destination sets aside because record 0 says so. Undefined where none came. */
  readonly announcedBytes: number | undefined
}

/** What speaks against a stream of no bytes, whatever the driver. */
export const emptyStream = 'the stream is empty'
