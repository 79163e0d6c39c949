/* image-explore.c: an image's layers, path by path, as lines of JSON. What is in them is
 * image/explore.h's; the lines' form is spec/explore.h's. */
#include "engine/engine-private.h"
#include "image/explore.h"

typedef struct Lines {
        ExploreLineSink sink;
        void *data;
} Lines;

static int put_line(const Lines *lines, const ExploreLine *line) {
        _cleanup_free_ char *json = json_text(&explore_line_table, line);

        return lines->sink(lines->data, json);
}

static int put_file(void *data, const ExploreFile *file) {
        const ExploreLine line = { .file = (ExploreFile *)file };

        return put_line(data, &line);
}

int engine_image_explore(Engine *engine, const char *ref, ExploreLineSink sink, void *data,
                         Error *err) {
        Lines lines = { sink, data };
        ExploreSummary summary = { 0 };
        const ExploreLine line = { .summary = &summary };
        int r = image_explore(engine->images, ref, put_file, &lines, &summary, err);

        if (r < 0)
                return r;
        r = put_line(&lines, &line);
        json_done(&explore_summary_table, &summary);
        return r < 0 ? error_set(err, r, "hand out the sums") : 0;
}
