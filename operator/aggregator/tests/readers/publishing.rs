//! Frames at IoT Core: signed, counted, and the same that other readers get.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, Transport};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use volley_aggregator::feed::board::Board;
use volley_aggregator::feed::publisher;
use volley_aggregator::metrics::Metrics;
use volley_storage::FailureClass;
use volley_storage::documents::Publishing;
use volley_storage::iot::{IotCore, IotError, frame_topic};

use super::event_stream::{EventStream, SOON};
use super::iot_core::{Message, StandIn};
use super::seconds::Played;

/// Publishes a run's frames as the aggregator does, until it ends.
async fn publish(board: Arc<Board>, client: IotCore, metrics: Arc<Metrics>) -> Publishing {
    publisher::publish_to(&board, &client, &frame_topic("shop", "checkout-1"), &metrics).await
}

async fn received(messages: &mut mpsc::Receiver<Message>) -> (String, Value) {
    let message = tokio::time::timeout(SOON, messages.recv()).await.unwrap().unwrap();
    (message.topic, serde_json::from_slice(&message.payload).unwrap())
}

#[tokio::test]
async fn each_frame_is_a_signed_message_on_the_topic_of_its_run() {
    let (iot, mut messages) = StandIn::start().await;
    let mut run = Played::start().await;
    let publishing = publish(run.board.clone(), iot.client("secret"), run.metrics.clone());
    let played = async {
        for second in 1..=3 {
            run.close(second);
            let (topic, frame) = received(&mut messages).await;
            assert_eq!(topic, "volley/v1/shop/checkout-1/frame");
            assert_eq!((&frame["v"], &frame["seq"]), (&1.into(), &second.into()));
        }
        run.end().await;
    };
    let (counts, ()) = tokio::join!(publishing, played);
    assert_eq!(counts, Publishing { published: 3, failed: 0, skipped: 0, error: None });
}

#[tokio::test]
async fn a_wrong_key_and_a_busy_iot_core_are_counted_and_shown_and_readers_go_on() {
    let (iot, _messages) = StandIn::start().await;
    iot.throttle(true);
    let busy = iot.client("secret").publish("t", b"{}".to_vec()).await.unwrap_err();
    assert!(matches!(busy, IotError::Throttled { .. }) && busy.class() == FailureClass::Transient, "{busy}");

    let mut run = Played::start().await;
    let board = run.board.clone();
    let mut stream = EventStream::open(run.address, None).await;
    let metrics = run.metrics.clone();
    let publishing = publish(run.board.clone(), iot.client("another secret"), metrics.clone());
    let played = async {
        assert_eq!(stream.next().await.unwrap().kind, "series");
        run.close(1);
        assert_eq!(stream.next().await.unwrap().id, Some(1));
        loop {
            let publishing = board.course().publishing.unwrap_or_default();
            if publishing.failed > 0 {
                let error = publishing.error.unwrap();
                assert!(error.contains("give the aggregator's role iot:Publish"), "{error}");
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        run.end().await;
    };
    let both = Box::pin(async { tokio::join!(publishing, played) });
    let (counts, ()) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_eq!((counts.published, counts.failed), (0, 1));
    assert!(metrics.text().contains("volley_aggregator_publish_failures_total{reason=\"Denied\"} 1\n"));
}

#[tokio::test]
async fn without_a_given_endpoint_the_accounts_is_asked_for_once_with_a_signature_and_frames_go_there() {
    let (iot, mut messages) = StandIn::start().await;
    let client = iot.client_at("secret", None);
    for second in 1..=2 {
        let mut run = Played::start().await;
        run.close(second);
        let publishing = publish(run.board.clone(), client.clone(), run.metrics.clone());
        let played = async {
            assert_eq!(received(&mut messages).await.1["seq"], second);
            run.end().await;
        };
        let (counts, ()) = tokio::join!(publishing, played);
        assert_eq!((counts.published, counts.failed, iot.asked()), (1, 0, 1));
    }
}

#[tokio::test]
async fn a_role_that_may_not_ask_for_the_endpoint_is_told_which_right_it_lacks() {
    let (iot, _messages) = StandIn::start().await;
    let refused = iot.client_at("another secret", None).find_endpoint().await.unwrap_err();
    assert!(refused.to_string().contains("give the aggregator's role iot:DescribeEndpoint on *"), "{refused}");
    assert_eq!((refused.class(), iot.asked()), (FailureClass::NeedsChange, 0));
    // It is counted, and publishing goes on; here there is nothing to publish.
    let run = Played::start().await;
    let (board, metrics) = (run.board.clone(), run.metrics.clone());
    run.end().await;
    let counts = publish(board, iot.client_at("another secret", None), metrics.clone()).await;
    assert_eq!(counts, Publishing::default());
    assert!(metrics.text().contains("volley_aggregator_endpoint_failures_total{reason=\"Denied\"} 1\n"));
    iot.throttle(true);
    let busy = iot.client_at("secret", None).find_endpoint().await.unwrap_err();
    assert!(matches!(busy, IotError::Throttled { .. }), "{busy}");
}

#[tokio::test]
async fn where_an_endpoint_is_given_nobody_is_asked() {
    let (iot, mut messages) = StandIn::start().await;
    let given = format!("http://{}", iot.address);
    let client = iot.client_at("secret", Some(&given));
    client.find_endpoint().await.unwrap();
    client.publish("t", b"{}".to_vec()).await.unwrap();
    assert_eq!((messages.recv().await.unwrap().topic.as_str(), iot.asked()), ("t", 0));
}

/// A real broker with an address for MQTT and one for MQTT over WebSocket.
struct Broker {
    mqtt: SocketAddr,
    websocket: SocketAddr,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl Broker {
    async fn start() -> Self {
        let program = std::env::var("VOLLEY_MOSQUITTO").expect("VOLLEY_MOSQUITTO names the mosquitto program");
        let free = || {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap()
        };
        let (mqtt, websocket) = (free(), free());
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("mosquitto.conf");
        let text = format!(
            "allow_anonymous true\nlistener {} 127.0.0.1\nlistener {} 127.0.0.1\nprotocol websockets\n",
            mqtt.port(),
            websocket.port()
        );
        std::fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(&configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().unwrap();
        for address in [mqtt, websocket] {
            let connected = async {
                while tokio::net::TcpStream::connect(address).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(SOON, connected).await.expect("the broker listens");
        }
        Self { mqtt, websocket, _process: process, _folder: folder }
    }

    /// Takes what IoT Core received and hands it to the broker.
    fn forward(&self, mut messages: mpsc::Receiver<Message>, tasks: &mut JoinSet<()>) {
        let options = MqttOptions::new("iot-core", "127.0.0.1", self.mqtt.port());
        let (client, mut events) = AsyncClient::new(options, 16);
        tasks.spawn(async move { while events.poll().await.is_ok() {} });
        tasks.spawn(async move {
            while let Some(Message { topic, payload }) = messages.recv().await {
                client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
            }
        });
    }

    /// A browser's way to it: MQTT over a WebSocket. Answers once it is subscribed.
    async fn subscribe(&self, topic: &str, tasks: &mut JoinSet<()>) -> mpsc::Receiver<Value> {
        let mut options = MqttOptions::new("browser", format!("ws://{}/mqtt", self.websocket), self.websocket.port());
        options.set_transport(Transport::Ws);
        let (client, mut events) = AsyncClient::new(options, 16);
        client.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        let (frames, received) = mpsc::channel(64);
        let subscribed = async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {} };
        tokio::time::timeout(SOON, subscribed).await.unwrap();
        tasks.spawn(async move {
            // The client ends the subscription when it is dropped.
            let _client = client;
            while let Ok(event) = events.poll().await {
                if let Event::Incoming(Packet::Publish(message)) = event {
                    frames.send(serde_json::from_slice(&message.payload).unwrap()).await.unwrap();
                }
            }
        });
        received
    }
}

#[tokio::test]
#[ignore = "needs the broker mosquitto: VOLLEY_MOSQUITTO"]
async fn a_subscriber_over_websocket_and_a_reader_of_the_stream_get_the_same_series() {
    let broker = Broker::start().await;
    let (iot, messages) = StandIn::start().await;
    let mut tasks = JoinSet::new();
    broker.forward(messages, &mut tasks);
    let mut run = Played::start().await;
    let mut subscriber = broker.subscribe("volley/v1/shop/checkout-1/frame", &mut tasks).await;
    let mut stream = EventStream::open(run.address, None).await;
    let publishing = publish(run.board.clone(), iot.client("secret"), run.metrics.clone());
    let played = async {
        assert_eq!(stream.next().await.unwrap().kind, "series");
        let (mut by_mqtt, mut by_http) = (Vec::new(), Vec::new());
        for second in 1..=50 {
            run.close(second);
            by_mqtt.push(tokio::time::timeout(SOON, subscriber.recv()).await.unwrap().unwrap());
            by_http.push(serde_json::from_str::<Value>(&stream.next().await.unwrap().data).unwrap());
        }
        run.end().await;
        assert_eq!(by_mqtt, by_http);
        by_mqtt.iter().map(|frame| frame["totals"]["requests"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let (counts, requests) = tokio::join!(publishing, played);
    assert_eq!(requests, (1..=50).collect::<Vec<_>>());
    assert_eq!(counts, Publishing { published: 50, failed: 0, skipped: 0, error: None });
}
