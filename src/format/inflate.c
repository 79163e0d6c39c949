/* inflate.c: see inflate.h. Codes are read bit by bit against the number of codes of each length,
 * which needs no tables: RFC 1951, 3.2.2. */
#include "format/inflate.h"

#include <errno.h>
#include <stdbool.h>

enum {
        BITS_MAX = 15,
        LITERALS = 288, /* literals, the end, lengths */
        DISTANCES = 32,
        LENGTH_CODES = 19,
        END = 256,
};

typedef struct Input {
        const unsigned char *data;
        size_t length, at;
        unsigned bits, count; /* taken of a byte, and not used yet */
        bool ended;           /* more was asked for than there is */
} Input;

typedef struct Code {
        uint16_t counts[BITS_MAX + 1]; /* of codes by their length */
        uint16_t symbols[LITERALS];    /* in the order of their codes */
} Code;

/* At most 16 bits, the first the lowest. */
static unsigned take_bits(Input *input, unsigned count) {
        unsigned value;

        while (input->count < count) {
                if (input->at == input->length) {
                        input->ended = true;
                        return 0;
                }
                input->bits |= (unsigned)input->data[input->at++] << input->count;
                input->count += 8;
        }
        value = input->bits & ((1u << count) - 1);
        input->bits >>= count;
        input->count -= count;
        return value;
}

/* False where the lengths are of no code: more codes than there is room for. */
static bool code_build(Code *code, const unsigned char *lengths, unsigned count) {
        uint16_t offsets[BITS_MAX + 1] = { 0 };
        int left = 1;

        *code = (Code){ 0 };
        for (unsigned i = 0; i < count; i++)
                code->counts[lengths[i]]++;
        for (unsigned bits = 1; bits <= BITS_MAX; bits++) {
                left = left * 2 - code->counts[bits];
                if (left < 0)
                        return false;
        }
        for (unsigned bits = 1; bits < BITS_MAX; bits++)
                offsets[bits + 1] = (uint16_t)(offsets[bits] + code->counts[bits]);
        for (unsigned i = 0; i < count; i++)
                if (lengths[i] != 0)
                        code->symbols[offsets[lengths[i]]++] = (uint16_t)i;
        return true;
}

/* -1: no such code. */
static int take_symbol(Input *input, const Code *code) {
        int value = 0, first = 0, index = 0;

        for (unsigned bits = 1; bits <= BITS_MAX && !input->ended; bits++) {
                int count = code->counts[bits];

                value |= (int)take_bits(input, 1);
                if (value - count < first)
                        return code->symbols[index + (value - first)];
                index += count;
                first = (first + count) << 1;
                value <<= 1;
        }
        return -1;
}

/* ---- blocks ---- */

static int copy_stored(Input *input, size_t limit, Buf *ret) {
        unsigned length, inverse;

        input->bits = input->count = 0;
        length = take_bits(input, 16);
        inverse = take_bits(input, 16);
        if (input->ended || length != (~inverse & 0xffff) || length > input->length - input->at)
                return -EBADMSG;
        if (ret->length + length > limit)
                return -EFBIG;
        buf_add(ret, input->data + input->at, length);
        input->at += length;
        return 0;
}

static int copy_back(unsigned length, unsigned distance, size_t start, size_t limit, Buf *ret) {
        if (distance > ret->length - start)
                return -EBADMSG;
        if (ret->length + length > limit)
                return -EFBIG;
        buf_reserve(ret, length);
        for (unsigned i = 0; i < length; i++) {
                ret->data[ret->length] = ret->data[ret->length - distance];
                ret->length++;
        }
        return 0;
}

/* RFC 1951, 3.2.5: the tables follow from the number of extra bits. */
static unsigned length_of(Input *input, unsigned symbol) {
        unsigned code = symbol - END - 1, extra = code < 8 ? 0 : code / 4 - 1;

        if (code == 28)
                return 258;
        return 3 + (extra == 0 ? code : ((4 + code % 4) << extra) + take_bits(input, extra));
}

static unsigned distance_of(Input *input, unsigned code) {
        unsigned extra = code < 4 ? 0 : code / 2 - 1;

        return 1 + (extra == 0 ? code : ((2 + code % 2) << extra) + take_bits(input, extra));
}

static int take_codes(Input *input, const Code *literals, const Code *distances, size_t start,
                      size_t limit, Buf *ret) {
        for (;;) {
                int symbol = take_symbol(input, literals), r = 0;

                if (symbol < 0 || symbol > END + 29)
                        return -EBADMSG;
                if (symbol == END)
                        return 0;
                if (symbol < END) {
                        if (ret->length >= limit)
                                return -EFBIG;
                        buf_add_char(ret, (char)symbol);
                } else {
                        unsigned length = length_of(input, (unsigned)symbol);
                        int code = take_symbol(input, distances);

                        if (code < 0 || code > 29)
                                return -EBADMSG;
                        r = copy_back(length, distance_of(input, (unsigned)code), start, limit,
                                      ret);
                }
                if (r < 0 || input->ended)
                        return r < 0 ? r : -EBADMSG;
        }
}

/* RFC 1951, 3.2.6 */
static void fixed_codes(Code *literals, Code *distances) {
        unsigned char lengths[LITERALS];

        for (unsigned i = 0; i < LITERALS; i++)
                lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
        (void)code_build(literals, lengths, LITERALS);
        memset(lengths, 5, DISTANCES);
        (void)code_build(distances, lengths, DISTANCES);
}

/* How often, and what, a symbol of the code of lengths repeats; 0: never so. */
static unsigned repeats(Input *input, int symbol, unsigned char before, unsigned char *ret) {
        *ret = symbol == 16 ? before : symbol < 16 ? (unsigned char)symbol : 0;
        return symbol < 0     ? 0
               : symbol < 16  ? 1
               : symbol == 16 ? 3 + take_bits(input, 2)
               : symbol == 17 ? 3 + take_bits(input, 3)
                              : 11 + take_bits(input, 7);
}

/* RFC 1951, 3.2.7 */
static bool dynamic_codes(Input *input, Code *literals, Code *distances) {
        static const unsigned char order[LENGTH_CODES] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                           11, 4,  12, 3, 13, 2, 14, 1, 15 };
        unsigned char lengths[LITERALS + DISTANCES] = { 0 };
        unsigned literal_count = take_bits(input, 5) + 257, total, codes, at = 0;

        total = literal_count + take_bits(input, 5) + 1;
        codes = take_bits(input, 4) + 4;
        if (literal_count > 286 || total - literal_count > 30)
                return false;
        for (unsigned i = 0; i < codes; i++)
                lengths[order[i]] = (unsigned char)take_bits(input, 3);
        if (input->ended || !code_build(literals, lengths, LENGTH_CODES))
                return false;
        memset(lengths, 0, sizeof(lengths));
        while (at < total) {
                int symbol = take_symbol(input, literals);
                unsigned char value;
                unsigned count;

                if (symbol == 16 && at == 0)
                        return false;
                count = repeats(input, symbol, at > 0 ? lengths[at - 1] : 0, &value);
                if (count == 0 || input->ended || count > total - at)
                        return false;
                memset(lengths + at, value, count);
                at += count;
        }
        return lengths[END] != 0 && code_build(literals, lengths, literal_count) &&
               code_build(distances, lengths + literal_count, total - literal_count);
}

int inflate_bytes(const void *data, size_t length, size_t limit, Buf *ret) {
        Input input = { .data = data, .length = length };
        size_t start = ret->length;
        Code literals, distances;
        bool last = false;
        int r = 0;

        limit = limit > SIZE_MAX - start ? SIZE_MAX : limit + start;
        while (!last && r == 0) {
                unsigned type;

                last = take_bits(&input, 1);
                type = take_bits(&input, 2);
                if (input.ended || type == 3)
                        return -EBADMSG;
                if (type == 1)
                        fixed_codes(&literals, &distances);
                else if (type == 2 && !dynamic_codes(&input, &literals, &distances))
                        return -EBADMSG;
                r = type == 0 ? copy_stored(&input, limit, ret)
                              : take_codes(&input, &literals, &distances, start, limit, ret);
        }
        return r;
}

uint32_t crc32_of(const void *data, size_t length) {
        const unsigned char *bytes = data;
        uint32_t crc = ~(uint32_t)0;

        for (size_t i = 0; i < length; i++) {
                crc ^= bytes[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
        }
        return ~crc;
}
