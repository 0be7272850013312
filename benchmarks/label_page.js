// What benchmarks/label_page.py measures inside the labelling page; every function answers with milliseconds.

(() => {
    const next = () => new Promise((resolve) => setTimeout(resolve));

    /** The start of the next frame: it waits where the last one is not on the screen yet. */
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())));

    const key = (type, init) =>
        document.querySelector(".stage-host").dispatchEvent(
            new KeyboardEvent(type, { bubbles: true, cancelable: true, ...init }),
        );

    /** One act: the work of handling and drawing it alone, and until the frame that shows it is drawn. */
    const acted = async (act) => {
        const { stage } = dentasam;
        await frame();
        const start = performance.now();
        act();
        const handled = performance.now() - start;
        await stage.drawn();
        return { work: handled + stage.timings.frames.values().at(-1), shown: performance.now() - start };
    };

    const repeated = async (times, act) => {
        const found = [];
        for (let turn = 0; turn < times; turn++) {
            found.push(await acted(() => act(turn)));
            await next();
        }
        return found;
    };

    window.measured = {
        opacity: (times) => repeated(times, (turn) => key("keydown", { key: turn % 20 < 10 ? "." : "," })),

        async undo(times) {
            const { editor } = dentasam;
            return repeated(times, () => editor.undo());
        },

        /** Strokes of a brush across the image, as steps to undo. */
        strokes(count, size) {
            const { editor } = dentasam;
            editor.setActive(editor.objects[0].id);
            editor.setBrush({ size });
            for (let index = 0; index < count; index++) {
                const y = (editor.height * (index + 1)) / (count + 1);
                editor.beginStroke(index % 4 === 3 ? "eraser" : "brush", [editor.width * 0.1, y]);
                for (let step = 1; step <= 20; step++) editor.extendStroke([[editor.width * (0.1 + 0.04 * step), y + (step % 3) * 9]]);
                editor.endStroke();
            }
        },

        /**
         * The peer: a dab into a whole-image mask, all masks blended into one picture, the picture put onto a canvas
         * of the image's size, for each event.
         */
        naive(events, size) {
            const { editor, stage } = dentasam;
            const { width, height } = editor;
            const masks = editor.objects.map(({ mask }) => {
                const whole = new Uint8Array(width * height);
                const { x, y, width: w, height: h, bits } = mask.snapshot();
                for (let row = 0; row < h; row++) whole.set(bits.subarray(row * w, (row + 1) * w), (y + row) * width + x);
                return whole;
            });
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [width, height];
            const context = canvas.getContext("2d");
            const picture = context.createImageData(width, height);
            const { pixels } = stage.image;
            const found = [];
            for (let event = 0; event < events; event++) {
                const start = performance.now();
                const [cx, cy] = [width * (0.2 + (0.6 * event) / events), height / 2];
                for (let y = Math.floor(cy - size / 2); y < cy + size / 2; y++)
                    for (let x = Math.floor(cx - size / 2); x < cx + size / 2; x++)
                        if ((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= (size / 2) ** 2) masks[0][y * width + x] = 1;
                const { data } = picture;
                for (let index = 0; index < pixels.length; index++) {
                    const value = pixels[index];
                    data[4 * index] = data[4 * index + 1] = data[4 * index + 2] = value;
                    data[4 * index + 3] = 255;
                }
                masks.forEach((mask, which) => {
                    for (let index = 0; index < mask.length; index++) {
                        if (mask[index] === 0) continue;
                        data[4 * index] = (data[4 * index] * 3 + 2 * (37 * which % 256)) / 5;
                        data[4 * index + 1] = (data[4 * index + 1] * 3 + 2 * (91 * which % 256)) / 5;
                        data[4 * index + 2] = (data[4 * index + 2] * 3 + 2 * (53 * which % 256)) / 5;
                    }
                });
                context.putImageData(picture, 0, 0);
                found.push(performance.now() - start);
            }
            return found;
        },

        /** From the pressing of the pointer to the frame with the model's mask; to be called before the click. */
        click() {
            const { editor, stage } = dentasam;
            window.clicked = new Promise((resolve) => {
                window.addEventListener(
                    "pointerdown",
                    () => {
                        const start = performance.now();
                        const clicks = editor.active?.prompts.clicks.length ?? 0;
                        const end = editor.subscribe(() => {
                            if ((editor.active?.prompts.clicks.length ?? 0) <= clicks) return;
                            end();
                            void stage.drawn().then(() => resolve(performance.now() - start));
                        });
                    },
                    { capture: true, once: true },
                );
            });
        },

        /** To the next case, or by `act` to another one: until its picture and masks are drawn. */
        async switched(act = () => key("keydown", { key: "PageDown" })) {
            const before = dentasam.editor;
            const start = performance.now();
            act();
            while (dentasam.editor === before || dentasam.stage.editor !== dentasam.editor) await next();
            await dentasam.stage.drawn();
            return performance.now() - start;
        },
    };
})();
