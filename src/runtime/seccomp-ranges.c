/* seccomp-ranges.c: rewrites a seccomp program as a search among ranges of system calls. A program
 * that only compares the architecture and the call's number answers the same for all numbers
 * between two that it compares with: it is run once for each such range, as far as it goes without
 * looking at the call's arguments, and what is left of it is copied. libseccomp compares with each
 * number by itself, three times as many instructions for Docker's profile. */
#include "runtime/seccomp-ranges.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "base/cleanup.h"
#include "base/macro.h"

#define ARCHITECTURE offsetof(struct seccomp_data, arch)
#define NUMBER offsetof(struct seccomp_data, nr)
#define LOAD (BPF_LD | BPF_W | BPF_ABS)

typedef struct Program {
        const struct sock_filter *code;
        size_t count;
} Program;

/* The first numbers of the ranges. */
typedef struct Starts {
        uint32_t *list;
        size_t count;
} Starts;

/* The code for all values from start on, up to the next piece's. */
typedef struct Piece {
        uint32_t start;
        Buf code;
} Piece;

typedef struct Pieces {
        Piece *list;
        size_t count;
} Pieces;

static void pieces_done(Pieces *pieces) {
        for (size_t i = 0; i < pieces->count; i++)
                buf_done(&pieces->list[i].code);
        free(pieces->list);
}

static void starts_done(Starts *starts) {
        free(starts->list);
}

static void add_instruction(Buf *code, struct sock_filter instruction) {
        buf_add(code, &instruction, sizeof(instruction));
}

static size_t length_of(const Buf *code) {
        return code->length / sizeof(struct sock_filter);
}

/* ---- where answers may change ---- */

/* What the accumulator may hold when an instruction is reached. */
enum { HOLDS_ARCHITECTURE = 1, HOLDS_NUMBER = 2, HOLDS_OTHER = 4 };

typedef struct Boundaries {
        Program program;
        unsigned char *holds; /* of each instruction; 0: not reached */
        Starts architectures, numbers;
} Boundaries;

static int pass_on(Boundaries *b, size_t to, unsigned char holds) {
        if (to >= b->program.count)
                return -ENOTSUP;
        b->holds[to] |= holds;
        return 0;
}

static int note_load(Boundaries *b, size_t at) {
        uint32_t offset = b->program.code[at].k;

        return pass_on(b, at + 1,
                       offset == ARCHITECTURE ? HOLDS_ARCHITECTURE
                       : offset == NUMBER     ? HOLDS_NUMBER
                                              : HOLDS_OTHER);
}

static void note_start(Starts *starts, uint64_t value) {
        if (value <= UINT32_MAX)
                starts->list[starts->count++] = (uint32_t)value;
}

/* A comparison with k has one answer up to k, one at k and one after it. */
static int note_comparison(Boundaries *b, size_t at) {
        const struct sock_filter *i = &b->program.code[at];
        unsigned char holds = b->holds[at];
        int r;

        if (BPF_OP(i->code) == BPF_JSET && holds != HOLDS_OTHER)
                return -ENOTSUP;
        for (uint64_t value = i->k; value <= (uint64_t)i->k + 1; value++) {
                if (holds & HOLDS_ARCHITECTURE)
                        note_start(&b->architectures, value);
                if (holds & HOLDS_NUMBER)
                        note_start(&b->numbers, value);
        }
        r = pass_on(b, at + 1 + i->jt, holds);
        return r < 0 ? r : pass_on(b, at + 1 + i->jf, holds);
}

static int note_instruction(Boundaries *b, size_t at) {
        const struct sock_filter *i = &b->program.code[at];

        switch (i->code) {
        case LOAD:
                return note_load(b, at);
        case BPF_ALU | BPF_AND | BPF_K:
                return b->holds[at] == HOLDS_OTHER ? pass_on(b, at + 1, HOLDS_OTHER) : -ENOTSUP;
        case BPF_JMP | BPF_JA:
                return pass_on(b, at + 1 + (size_t)i->k, b->holds[at]);
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
                return note_comparison(b, at);
        case BPF_RET | BPF_K:
                return 0;
        default:
                return -ENOTSUP;
        }
}

static int compare_numbers(const void *a, const void *b) {
        uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

        return one < other ? -1 : one > other;
}

static void sort_starts(Starts *starts) {
        size_t kept = 0;

        qsort(starts->list, starts->count, sizeof(uint32_t), compare_numbers);
        for (size_t i = 0; i < starts->count; i++)
                if (i == 0 || starts->list[i] != starts->list[kept - 1])
                        starts->list[kept++] = starts->list[i];
        starts->count = kept;
}

/* Jumps go forward only, so one pass sees every way to an instruction before it. */
static int find_starts(Program program, Starts *architectures, Starts *numbers) {
        _cleanup_free_ unsigned char *holds = NEW_ARRAY(unsigned char, program.count);
        Boundaries b = { .program = program, .holds = holds };
        int r = 0;

        b.architectures.list = NEW_ARRAY(uint32_t, 2 * program.count + 1);
        b.numbers.list = NEW_ARRAY(uint32_t, 2 * program.count + 1);
        note_start(&b.architectures, 0);
        note_start(&b.numbers, 0);
        holds[0] = HOLDS_NUMBER; /* a 0 at first, which is known as well */
        for (size_t i = 0; r == 0 && i < program.count; i++)
                if (holds[i])
                        r = note_instruction(&b, i);
        sort_starts(&b.architectures);
        sort_starts(&b.numbers);
        *architectures = b.architectures;
        *numbers = b.numbers;
        return r;
}

/* ---- the answer for one architecture and number ---- */

static bool compare(const struct sock_filter *i, uint32_t value) {
        switch (BPF_OP(i->code)) {
        case BPF_JEQ:
                return value == i->k;
        case BPF_JGT:
                return value > i->k;
        default:
                return value >= i->k;
        }
}

/* The instruction that answers, or that looks at an argument. Before one does, nothing but
 * comparisons of what is known can be met: find_starts has seen to it. */
static size_t run_to_answer(Program program, uint32_t architecture, uint32_t number) {
        uint32_t value = 0;
        size_t at = 0;

        for (;;) {
                const struct sock_filter *i = &program.code[at];

                if (i->code == (BPF_RET | BPF_K) ||
                    (i->code == LOAD && i->k != ARCHITECTURE && i->k != NUMBER))
                        return at;
                if (i->code == LOAD)
                        value = i->k == NUMBER ? number : architecture;
                else if (i->code == (BPF_JMP | BPF_JA))
                        at += i->k;
                else
                        at += compare(i, value) ? i->jt : i->jf;
                at++;
        }
}

/* ---- the rest of a program from one instruction on ---- */

static bool is_comparison(const struct sock_filter *i) {
        return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_JA;
}

/* Gives each instruction that is reached from `from` its number in the copy, from 1 on. */
static void number_reached(Program program, size_t from, size_t *numbers) {
        size_t next = 0;

        numbers[from] = 1;
        for (size_t at = from; at < program.count; at++) {
                const struct sock_filter *i = &program.code[at];

                if (!numbers[at])
                        continue;
                numbers[at] = ++next;
                if (is_comparison(i))
                        numbers[at + 1 + i->jt] = numbers[at + 1 + i->jf] = 1;
                else if (i->code == (BPF_JMP | BPF_JA))
                        numbers[at + 1 + i->k] = 1;
                else if (BPF_CLASS(i->code) != BPF_RET)
                        numbers[at + 1] = 1;
        }
}

static void copy_rest(Program program, size_t from, Buf *ret) {
        _cleanup_free_ size_t *numbers = NULL;

        if (BPF_CLASS(program.code[from].code) == BPF_RET) {
                add_instruction(ret, program.code[from]);
                return;
        }
        numbers = NEW_ARRAY(size_t, program.count);
        number_reached(program, from, numbers);
        for (size_t at = from; at < program.count; at++) {
                struct sock_filter i = program.code[at];

                if (!numbers[at])
                        continue;
                if (is_comparison(&i)) {
                        i.jt = (uint8_t)(numbers[at + 1 + i.jt] - numbers[at] - 1);
                        i.jf = (uint8_t)(numbers[at + 1 + i.jf] - numbers[at] - 1);
                } else if (i.code == (BPF_JMP | BPF_JA)) {
                        i.k = (uint32_t)(numbers[at + 1 + i.k] - numbers[at] - 1);
                }
                add_instruction(ret, i);
        }
}

/* ---- the search ---- */

static bool same_code(const Buf *one, const Buf *other) {
        return one->length == other->length && memcmp(one->data, other->data, one->length) == 0;
}

/* Takes code; neighbours with the same code become one. */
static void add_piece(Pieces *pieces, uint32_t start, Buf *code) {
        Piece *last = pieces->count > 0 ? &pieces->list[pieces->count - 1] : NULL;

        if (last && same_code(&last->code, code)) {
                buf_done(code);
                return;
        }
        pieces->list[pieces->count++] = (Piece){ .start = start, .code = *code };
        *code = (Buf){};
}

/* A comparison jumps 255 instructions at the most; "always" jumps any number. */
static void add_choice(uint32_t start, const Buf *below, const Buf *from, Buf *ret) {
        size_t length = length_of(below);

        if (length <= UINT8_MAX) {
                add_instruction(ret, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, start,
                                                                  (uint8_t)length, 0));
        } else {
                add_instruction(
                        ret, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, start, 0, 1));
                add_instruction(ret,
                                (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)length));
        }
        buf_add(ret, below->data, below->length);
        buf_add(ret, from->data, from->length);
}

/* Comparisons, and after all of them each answer once: as many pieces as their jumps reach. */
typedef struct Block {
        const Piece *pieces;
        const size_t *answers; /* where each piece's code lies, counted from the block's start */
        Buf *ret;
        size_t start, used; /* instructions of ret before the block; comparisons given a place */
} Block;

/* The pieces low to high - 1. Returns where what finds one of them lies. */
static size_t add_comparisons(Block *block, size_t low, size_t high) {
        size_t half = low + (high - low) / 2, at = block->used, from, below;
        struct sock_filter *instruction;

        if (high - low == 1)
                return block->answers[low];
        block->used++;
        below = add_comparisons(block, low, half);
        from = add_comparisons(block, half, high);
        instruction = (struct sock_filter *)(void *)block->ret->data + block->start + at;
        *instruction =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, block->pieces[half].start,
                                             (uint8_t)(from - at - 1), (uint8_t)(below - at - 1));
        return at;
}

/* Lays the answers out behind count - 1 comparisons; the length of it all. */
static size_t lay_out(const Piece *pieces, size_t count, size_t *answers) {
        size_t length = count - 1;

        for (size_t i = 0; i < count; i++) {
                size_t k = 0;

                while (k < i && !same_code(&pieces[k].code, &pieces[i].code))
                        k++;
                answers[i] = k < i ? answers[k] : length;
                length += k < i ? 0 : length_of(&pieces[i].code);
        }
        return length;
}

static bool add_block(const Piece *pieces, size_t count, Buf *ret) {
        _cleanup_free_ size_t *answers = NEW_ARRAY(size_t, count);
        Block block = { .pieces = pieces, .answers = answers, .ret = ret, .start = length_of(ret) };
        size_t length = lay_out(pieces, count, answers), laid = count - 1;

        if (length > UINT8_MAX)
                return false;
        for (size_t i = 0; i + 1 < count; i++)
                add_instruction(ret, (struct sock_filter){});
        for (size_t i = 0; i < count; i++)
                if (answers[i] == laid) {
                        buf_add(ret, pieces[i].code.data, pieces[i].code.length);
                        laid += length_of(&pieces[i].code);
                }
        (void)add_comparisons(&block, 0, count);
        return true;
}

static void add_search(const Piece *pieces, size_t count, Buf *ret) {
        _cleanup_buf_ Buf below = {}, from = {};
        size_t half = count / 2;

        if (count == 1) {
                buf_add(ret, pieces->code.data, pieces->code.length);
                return;
        }
        if (add_block(pieces, count, ret))
                return;
        add_search(pieces, half, &below);
        add_search(pieces + half, count - half, &from);
        add_choice(pieces[half].start, &below, &from, ret);
}

static void add_numbers(Program program, uint32_t architecture, const Starts *numbers, Buf *ret) {
        _cleanup_(pieces_done) Pieces pieces = { .list = NEW_ARRAY(Piece, numbers->count) };

        for (size_t i = 0; i < numbers->count; i++) {
                Buf code = {};

                copy_rest(program, run_to_answer(program, architecture, numbers->list[i]), &code);
                add_piece(&pieces, numbers->list[i], &code);
        }
        if (pieces.count > 1)
                add_instruction(ret, (struct sock_filter)BPF_STMT(LOAD, NUMBER));
        add_search(pieces.list, pieces.count, ret);
}

int seccomp_by_ranges(const struct sock_filter *code, size_t count, Buf *ret) {
        _cleanup_(starts_done) Starts architectures = {}, numbers = {};
        _cleanup_(pieces_done) Pieces pieces = {};
        Program program = { .code = code, .count = count };
        _cleanup_buf_ Buf made = {};
        int r = count > 0 ? find_starts(program, &architectures, &numbers) : -ENOTSUP;

        if (r < 0)
                return r;
        pieces.list = NEW_ARRAY(Piece, architectures.count);
        for (size_t i = 0; i < architectures.count; i++) {
                Buf answer = {};

                add_numbers(program, architectures.list[i], &numbers, &answer);
                add_piece(&pieces, architectures.list[i], &answer);
        }
        add_instruction(&made, (struct sock_filter)BPF_STMT(LOAD, ARCHITECTURE));
        add_search(pieces.list, pieces.count, &made);
        if (length_of(&made) >= count)
                return -ENOTSUP;
        buf_add(ret, made.data, made.length);
        return 0;
}
