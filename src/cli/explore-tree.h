/* explore-tree.h: the files of a report as a tree at one layer: what each path is there, its size
 * with all below it, and which lines a viewer shows of it. Draws nothing. */
#pragma once

#include "cli/explore-report.h"

typedef struct TreeNode {
        const char *path;    /* of the report; "" for the root, node 0 */
        const char *name;    /* its last part */
        size_t row, row_end; /* of the report; equal where no row is of this very path */
        size_t parent, end;  /* nodes are in the order of a walk; end is behind the last below */
        unsigned depth;
        bool collapsed;
        /* at the layer: */
        size_t current;      /* the row that says what it is; SIZE_MAX: it is not there */
        ReportChange change; /* by this layer */
        int64_t size;        /* of what is below it, too, without what is removed */
        bool shown;
} TreeNode;

typedef struct TreeShow {
        bool change[REPORT_CHANGES]; /* which are shown */
        const char *filter;          /* part of the path, regardless of case; "" or NULL: none */
        bool by_size;                /* largest first, else by name */
} TreeShow;

typedef struct Tree {
        const Report *report;
        TreeNode *nodes;
        size_t count;
        size_t *lines; /* nodes that are shown, in order */
        size_t line_count;
} Tree;

void tree_init(Tree *tree, const Report *report); /* the report must outlive it */
void tree_done(Tree *tree);
/* Says of each node what it is in that layer. */
void tree_set_layer(Tree *tree, size_t layer);
/* Makes lines. A filter overrides what is collapsed. */
void tree_show(Tree *tree, const TreeShow *show);
