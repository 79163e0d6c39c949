/* nfnetlink-term.c: the terms of a rule as the kernel's expressions: see nft(8) --debug=netlink. */
#include "os/nfnetlink-term.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>

typedef struct nftnl_expr Expr;

static Expr *expr_new(const char *name) {
        Expr *expr = nftnl_expr_alloc(name);

        if (!expr)
                abort();
        return expr;
}

static Expr *build_meta(const NftTerm *term) {
        Expr *expr = expr_new("meta");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, term->reg);
        return expr;
}

static Expr *build_ct(const NftTerm *term) {
        Expr *expr = expr_new("ct");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, term->reg);
        return expr;
}

static Expr *build_payload(const NftTerm *term) {
        Expr *expr = expr_new("payload");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, term->b);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, term->c);
        return expr;
}

static Expr *build_write(const NftTerm *term) {
        Expr *expr = expr_new("payload");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, term->b);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, term->c);
        if (term->d) {
                nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
                nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, term->d);
        }
        return expr;
}

static Expr *build_set_meta(const NftTerm *term) {
        Expr *expr = expr_new("meta");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_SREG, term->reg);
        return expr;
}

static Expr *build_value(const NftTerm *term) {
        Expr *expr = expr_new("immediate");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, term->reg);
        (void)nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, term->data, term->data_length);
        return expr;
}

static Expr *build_compare(const NftTerm *term) {
        Expr *expr = expr_new("cmp");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, term->a);
        (void)nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, term->data, term->data_length);
        return expr;
}

static Expr *build_mask(const NftTerm *term) {
        Expr *expr = expr_new("bitwise");
        uint32_t none = 0;

        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(term->a));
        (void)nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, &term->a, sizeof(term->a));
        (void)nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, &none, sizeof(none));
        return expr;
}

static Expr *build_fib_type(const NftTerm *term) {
        Expr *expr = expr_new("fib");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
        return expr;
}

static Expr *build_lookup(const NftTerm *term) {
        Expr *expr = expr_new("lookup");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, term->reg);
        (void)nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, term->text);
        if (term->a)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        return expr;
}

static Expr *build_map(const NftTerm *term) {
        Expr *expr = expr_new("lookup");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, term->a);
        (void)nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, term->text);
        return expr;
}

static Expr *build_dnat(const NftTerm *term) {
        Expr *expr = expr_new("nat");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, term->b);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, term->reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, term->a);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
        return expr;
}

static Expr *build_snat(const NftTerm *term) {
        Expr *expr = expr_new("nat");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, term->b);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, term->reg);
        return expr;
}

static Expr *build_masquerade(const NftTerm *term) {
        (void)term;
        return expr_new("masq");
}

static Expr *build_verdict(const NftTerm *term) {
        Expr *expr = expr_new("immediate");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, term->a);
        if (term->text)
                (void)nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, term->text);
        return expr;
}

static Expr *(*const builders[])(const NftTerm *term) = {
        [NFT_TERM_META] = build_meta,
        [NFT_TERM_CT] = build_ct,
        [NFT_TERM_PAYLOAD] = build_payload,
        [NFT_TERM_WRITE] = build_write,
        [NFT_TERM_SET_META] = build_set_meta,
        [NFT_TERM_VALUE] = build_value,
        [NFT_TERM_COMPARE] = build_compare,
        [NFT_TERM_MASK] = build_mask,
        [NFT_TERM_FIB_TYPE] = build_fib_type,
        [NFT_TERM_LOOKUP] = build_lookup,
        [NFT_TERM_MAP] = build_map,
        [NFT_TERM_DNAT] = build_dnat,
        [NFT_TERM_MASQUERADE] = build_masquerade,
        [NFT_TERM_VERDICT] = build_verdict,
        [NFT_TERM_SNAT] = build_snat,
};

struct nftnl_expr *nft_term_build(const NftTerm *term) {
        return builders[term->kind](term);
}
