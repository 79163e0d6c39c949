/* nfnetlink-term.h: for nfnetlink.c only. */
#pragma once

#include "os/nfnetlink.h"

struct nftnl_expr;
/* The caller's, who gives it to a rule. */
struct nftnl_expr *nft_term_build(const NftTerm *term);
