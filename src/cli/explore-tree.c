/* explore-tree.c: see explore-tree.h. Rows come in the order of a walk, so one pass with the chain
 * of open directories makes the tree, and a subtree is a range. */
#include "cli/explore-tree.h"

#include <stdint.h>
#include <strings.h>

/* ---- making it ---- */

static bool below(const TreeNode *node, const char *path) {
        const char *rest = str_after(path, node->path);

        return !*node->path || (rest && *rest == '/');
}

static void add_node(Tree *tree, size_t parent, size_t row, size_t row_end) {
        const char *path = tree->report->rows[row].path, *slash = strrchr(path, '/');

        GROW(tree->nodes, tree->count);
        tree->nodes[tree->count++] = (TreeNode){
                .path = path,
                .name = slash && slash[1] ? slash + 1 : path,
                .row = row,
                .row_end = row_end,
                .parent = parent,
                .depth = tree->nodes[parent].depth + 1,
                .current = SIZE_MAX,
        };
}

void tree_init(Tree *tree, const Report *report) {
        size_t open = 0, end;

        *tree = (Tree){ .report = report };
        GROW(tree->nodes, tree->count);
        tree->nodes[tree->count++] = (TreeNode){ .path = "", .name = "", .current = SIZE_MAX };
        for (size_t i = 0; i < report->count; i = end) {
                end = report_path_end(report, i);
                while (open != 0 && !below(&tree->nodes[open], report->rows[i].path)) {
                        tree->nodes[open].end = tree->count;
                        open = tree->nodes[open].parent;
                }
                add_node(tree, open, i, end);
                open = tree->count - 1;
        }
        for (; open != 0; open = tree->nodes[open].parent)
                tree->nodes[open].end = tree->count;
        tree->nodes[0].end = tree->count;
        tree->lines = NEW_ARRAY(size_t, tree->count);
}

void tree_done(Tree *tree) {
        free(tree->nodes);
        free(tree->lines);
        *tree = (Tree){};
}

/* ---- at a layer ---- */

static void set_node(const Report *report, TreeNode *node, size_t layer) {
        node->current = SIZE_MAX;
        node->size = 0;
        node->shown = false;
        for (size_t i = node->row; i < node->row_end && report->rows[i].layer <= layer; i++)
                node->current = i;
        if (node->current == SIZE_MAX)
                return;
        const ReportRow *row = &report->rows[node->current];
        node->change = row->layer == layer ? (ReportChange)row->change : REPORT_UNMODIFIED;
        if (row->change == REPORT_REMOVED && row->layer < layer)
                node->current = SIZE_MAX;
        else if (row->change != REPORT_REMOVED)
                node->size = row->size;
}

void tree_set_layer(Tree *tree, size_t layer) {
        for (size_t i = 1; i < tree->count; i++)
                set_node(tree->report, &tree->nodes[i], layer);
        tree->nodes[0].size = 0;
        for (size_t i = tree->count; i-- > 1;)
                tree->nodes[tree->nodes[i].parent].size += tree->nodes[i].size;
}

/* ---- what is shown ---- */

static bool contains(const char *text, const char *part) {
        size_t length = strlen(part);

        for (; *text; text++)
                if (strncasecmp(text, part, length) == 0)
                        return true;
        return false;
}

/* A directory is shown where something below it is. */
static void mark(Tree *tree, const TreeShow *show) {
        for (size_t i = tree->count; i-- > 1;) {
                TreeNode *node = &tree->nodes[i];

                if (node->current != SIZE_MAX && show->change[node->change] &&
                    (str_empty(show->filter) || contains(node->path, show->filter)))
                        node->shown = true;
                if (node->shown)
                        tree->nodes[node->parent].shown = true;
        }
}

typedef struct Child {
        size_t node;
        int64_t size;
} Child;

static int largest_first(const void *a, const void *b) {
        const Child *left = a, *right = b;

        if (left->size != right->size)
                return left->size < right->size ? 1 : -1;
        return left->node < right->node ? -1 : 1;
}

static void add_lines(Tree *tree, size_t parent, const TreeShow *show) {
        _cleanup_free_ Child *children = NULL;
        size_t count = 0;

        for (size_t i = parent + 1; i < tree->nodes[parent].end; i = tree->nodes[i].end) {
                if (!tree->nodes[i].shown)
                        continue;
                GROW(children, count);
                children[count++] = (Child){ i, tree->nodes[i].size };
        }
        if (show->by_size && count > 0)
                qsort(children, count, sizeof(Child), largest_first);
        for (size_t i = 0; i < count; i++) {
                tree->lines[tree->line_count++] = children[i].node;
                if (!tree->nodes[children[i].node].collapsed || !str_empty(show->filter))
                        add_lines(tree, children[i].node, show);
        }
}

void tree_show(Tree *tree, const TreeShow *show) {
        for (size_t i = 0; i < tree->count; i++)
                tree->nodes[i].shown = false;
        tree->line_count = 0;
        mark(tree, show);
        add_lines(tree, 0, show);
}
